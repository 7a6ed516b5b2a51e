// Asks a registry over gRPC, the collector's own one at its bound port, and remembers the answers
// for a while.
import {status} from '@grpc/grpc-js';
import {IN_BAND} from './contract.js';
import {CACHE_LIFE, CONNECT_LIMIT} from './settings.js';

const MOST_ANSWERS = 10_000;

export class RegistryUnreachable extends Error {}

export class Validator {
  #client;
  #known = new Map();

  constructor(client) {
    this.#client = client;
  }

  /** Makes every answer that was given before now worthless. */
  forget() {
    this.#known = new Map();
  }

  /** Rejects with RegistryUnreachable where nothing can be said of the method. */
  async isValid(question, scope) {
    const key = JSON.stringify(question);
    const known = this.#known;
    const found = known.get(key);
    if (found && Date.now() < found.until) return found.valid;
    const asked = Date.now();
    const valid = await this.ask(question, scope);
    // An answer from before a registration goes into a map that nobody reads any more.
    if (known.size >= MOST_ANSWERS) known.clear();
    known.set(key, {valid, until: asked + CACHE_LIFE});
    return valid;
  }

  async ask([namespace, service_name, method_name], scope) {
    const until = Math.min(Date.now() + CONNECT_LIMIT, scope?.deadline ?? Infinity);
    let answer;
    try {
      answer = await this.#client.call('ValidateMethod', {namespace, service_name, method_name}, {deadline: until, scope});
    } catch (error) {
      throw new RegistryUnreachable(status[error.code] ?? 'UNKNOWN');
    }
    if (!answer.status) throw new RegistryUnreachable('it answered without a status');
    if (answer.status.code === IN_BAND.OK) return answer.is_valid;
    if (answer.status.code === IN_BAND.NOT_FOUND) return false;
    throw new RegistryUnreachable(`it answered ${answer.status.code}`);
  }
}
