// Connect, Serve and Dispatch, as functions of the request and the scope of the call.
import {Metadata} from '@grpc/grpc-js';
import {statusOf} from './contract.js';
import {serveAt} from './connections.js';
import {FORWARD_LIMIT} from './settings.js';
import {RegistryUnreachable} from './validation.js';

// What crosses a hop beside the request.
const CORRELATION = ['traceparent', 'tracestate', 'x-correlation-id'];

/** Where validation is off, `validator` is undefined. */
export function dispatcher(id, handlers, connections, validator) {
  /** Executes a call here, and nowhere else. */
  async function serve(call, scope) {
    if (validator) {
      const {namespace, service, method} = call;
      try {
        if (!(await validator.isValid([namespace, service, method], scope))) {
          return unserved(404, `service not registered in registry: ${namespace}/${service}.${method}`);
        }
      } catch (error) {
        if (!(error instanceof RegistryUnreachable)) throw error;
        return unserved(503, `the registry cannot be asked: ${error.message}`);
      }
    }
    return handlers.run(call, scope);
  }

  async function toTarget(target, call, scope) {
    if (target === id) return serve(call, scope);
    const peer = connections.get(target);
    if (!peer) return unserved(404, `no connection to collector '${target}'`);
    if (!peer.shared.includes(call.namespace)) {
      return unserved(404, `namespace '${call.namespace}' is not shared with collector '${target}'`);
    }
    return (await serveAt(peer, requestOf(call), forwarding(scope))).response;
  }

  async function toAny(call, scope) {
    if (handlers.has(call)) return serve(call, scope);
    const options = forwarding(scope);
    let failure;
    for (const peer of connections.sharing(call.namespace)) {
      const {response, sent} = await serveAt(peer, requestOf(call), options);
      if (response.status.code === 404 || response.status.code === 501) continue;
      // What was sent has run, or may have: it must not run twice.
      if (sent || scope.cancelled || Date.now() >= options.deadline) {
        return {...response, executor_id: response.executor_id || peer.id};
      }
      failure = response;
    }
    return failure ?? unserved(404, `no collector found for namespace '${call.namespace}'`);
  }

  return {
    Connect: (request) => connections.accept(request),
    Serve(request, scope) {
      const missing = missingIn(request);
      return missing ? unserved(400, missing) : serve(callOf(request), scope);
    },
    async Dispatch(request, scope) {
      const missing = missingIn(request);
      if (missing) return dispatched(unserved(400, missing));
      const target = request.target_collector_id;
      if (target) return dispatched(await toTarget(target, callOf(request), scope), target);
      return dispatched(await toAny(callOf(request), scope));
    },
  };
}

/** How a call is passed on: bounded also where the caller does not bound it. */
function forwarding(scope) {
  const metadata = new Metadata();
  for (const name of CORRELATION) {
    for (const value of scope.metadata.get(name)) metadata.add(name, value);
  }
  const deadline = scope.deadline === Infinity ? Date.now() + FORWARD_LIMIT : scope.deadline;
  return {deadline, metadata, scope};
}

function callOf({namespace, service, method_name: method, input}) {
  return {namespace, service: service.service_name, method, input};
}

function requestOf({namespace, service, method, input}) {
  return {namespace, service: {namespace, service_name: service}, method_name: method, input};
}

/** Tells why a request is no request, or nothing. */
function missingIn({namespace, service, method_name: method}) {
  if (!namespace) return 'namespace is required';
  if (!service?.service_name) return 'service is required';
  if (!method) return 'method_name is required';
  if (service.namespace && service.namespace !== namespace) {
    return `service.namespace '${service.namespace}' contradicts namespace '${namespace}'`;
  }
  return '';
}

function unserved(code, message) {
  return {status: statusOf(code, message)};
}

function dispatched({status, output, executor_id: executor}, handledBy = executor) {
  return {status, output, handled_by_collector_id: handledBy};
}
