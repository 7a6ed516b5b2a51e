// The table of what this collector executes itself, and how a handler's outcome becomes an answer.
import {statusOf} from './contract.js';

/** A handler's own failure: its text goes to the caller, as that of a crash must not. */
export class Deliberate extends Error {}

export class Handlers {
  // Namespaces, services and methods in maps of their own, so that no two names meet.
  #table = new Map();

  constructor(id) {
    this.id = id;
  }

  add(namespace, service, methods) {
    const services = this.#table.get(namespace) ?? new Map();
    this.#table.set(namespace, services.set(service, new Map(Object.entries(methods))));
  }

  has({namespace, service, method}) {
    return this.#table.get(namespace)?.get(service)?.has(method) ?? false;
  }

  /** Executes a call here, and answers it whatever happens. */
  async run(call, scope) {
    const {namespace, service, method, input} = call;
    if (!this.#table.has(namespace)) return this.#answer(404, `namespace '${namespace}' not found`);
    const handler = this.#table.get(namespace).get(service)?.get(method);
    if (!handler) return this.#answer(404, `method '${service}.${method}' not found in namespace '${namespace}'`);
    try {
      const output = await handler(input, scope);
      if (output === undefined || output === null) return this.#answer(200, 'OK');
      if (typeof output.type_url !== 'string' || !Buffer.isBuffer(output.value)) {
        return this.#answer(500, 'handler error: the output is no message');
      }
      return {...this.#answer(200, 'OK'), output};
    } catch (error) {
      if (error instanceof Deliberate) return this.#answer(500, `handler error: ${error.message}`);
      console.error(`${namespace}/${service}.${method}:`, error);
      return this.#answer(500, 'handler error: internal error');
    }
  }

  #answer(code, message) {
    return {status: statusOf(code, message), executor_id: this.id};
  }
}
