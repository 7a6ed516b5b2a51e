// The process: puts the parts on one port, proves the wiring, runs until it is told to stop.
import {setTimeout as pause} from 'node:timers/promises';
import {Server, ServerInterceptingCall, ServerListenerBuilder, status} from '@grpc/grpc-js';
import {ReflectionService} from '@grpc/reflection';
import {HealthImplementation, service as healthDefinition} from 'grpc-health-check';
import {CollectorClient} from './client.js';
import {Connections} from './connections.js';
import {connectDefinition, DISPATCHER, packageDefinition, REGISTRY} from './contract.js';
import {dispatcher} from './dispatcher.js';
import {Handlers} from './handlers.js';
import {Journal} from './journal.js';
import {isOpen, PORT, port, PROBE, probe, probeDescriptor} from './probe.js';
import {registry, Store} from './registry.js';
import {CONNECT_LIMIT, GRACE_LIMIT, MESSAGE_SIZE, READY_LIMIT, REFUSING_WINDOW} from './settings.js';
import {serverCredentials} from './tls.js';
import {RegistryUnreachable, Validator} from './validation.js';

const VALIDATE = `/${REGISTRY}/ValidateMethod`;

/** Serves until `stopped` resolves; rejects where the port or the wiring cannot be had. */
export async function run(settings, stopped) {
  const journal = settings.journal && new Journal(settings.journal);
  const store = new Store(journal);
  const connections = new Connections(settings.id, settings.namespaces, settings.tls);
  const handlers = new Handlers(settings.id);
  const health = new HealthImplementation({'': 'SERVING'});
  const door = {isClosing: false, inFlight: 0};
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_SIZE,
    interceptors: [guard(store, settings, door)],
  });
  // Every service is mounted before the port is bound. What asks the own registry needs the port,
  // and comes after it: so the validator is handed in by a client that is made there.
  const own = {client: undefined};
  const asking = new Validator({call: (...how) => own.client.call(...how)});
  store.onChange = () => asking.forget();
  mount(server, store, settings, {
    dispatching: dispatcher(settings.id, handlers, connections, settings.validation ? asking : undefined),
    handlers, health, door,
  });
  const address = await bind(server, settings);
  own.client = new CollectorClient(settings.registryAddress || address, settings.tls);
  try {
    if (settings.validation) await proveWiring(asking, settings);
    if (settings.registryAddress) await registerProbe(own.client, settings);
    console.log(`collector listening on ${address}`);
    const watch = settings.validation ? watchRegistry(asking, settings, health) : undefined;
    for (const peer of settings.connect) void connections.keepConnecting(peer, settings.advertise || address);
    await stopped;
    clearInterval(watch);
    health.setStatus('', 'NOT_SERVING');
    await leave(server, door);
  } finally {
    connections.close();
    own.client.close();
    server.forceShutdown();
    journal?.close();
  }
}

function mount(server, store, settings, {dispatching, handlers, health, door}) {
  const add = (name, definition, implementation) => {
    server.addService(definition, implementation);
    store.addService(settings.systemNamespace, described(name, definition));
  };
  const answering = (methods) => Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, unary(method, door)]));
  add(DISPATCHER, {...packageDefinition[DISPATCHER], Connect: connectDefinition(settings.isAccretional)}, answering(dispatching));
  add(REGISTRY, packageDefinition[REGISTRY], answering(registry(store, settings.systemNamespace)));
  // These two bring their own handlers, and only their methods are to be registered.
  health.addToServer(server);
  store.addService(settings.systemNamespace, described('grpc.health.v1.Health', healthDefinition));
  new ReflectionService(packageDefinition).addToServer(server);
  for (const version of ['v1', 'v1alpha']) {
    const method = {path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, requestStream: true, responseStream: true};
    store.addService(settings.systemNamespace, described(`grpc.reflection.${version}.ServerReflection`, {method}));
  }
  if (settings.probe.length === 0) return;
  const {definition, implementation} = port();
  add(PORT, definition, implementation);
  const methods = probe(settings.id);
  for (const namespace of settings.probe) {
    handlers.add(namespace, PROBE, methods);
    store.addService(namespace, probeDescriptor());
  }
}

/** What the registry knows of a service on the port. Descriptors have names as JavaScript has them. */
function described(name, definition) {
  const method = Object.values(definition)
    .map((each) => ({name: each.path.split('/')[2], clientStreaming: each.requestStream, serverStreaming: each.responseStream}))
    .filter((each) => isOpen(name, each.name));
  return {name, method};
}

/** Makes a function of request and scope an RPC that always answers. */
function unary(method, door) {
  return async (call, answer) => {
    door.inFlight += 1;
    try {
      answer(null, await method(call.request, scopeOf(call)));
    } catch (error) {
      // What is not meant for the caller has no code; its text stays here.
      if (error?.code === undefined) console.error('a call failed:', error);
      answer(error?.code === undefined ? {code: status.INTERNAL, details: 'internal error'} : error);
    } finally {
      door.inFlight -= 1;
    }
  };
}

/** What a call gives to those that are made for it. */
function scopeOf(call) {
  const limit = call.getDeadline();
  const deadline = limit instanceof Date ? limit.getTime() : limit;
  return {
    deadline: Number.isFinite(deadline) ? deadline : Infinity,
    metadata: call.metadata,
    get cancelled() {
      return call.cancelled;
    },
    onCancelled(then) {
      if (call.cancelled) then();
      else call.on('cancelled', then);
    },
  };
}

/** Stands before every RPC: only what is registered in the system namespace passes. */
function guard(store, settings, door) {
  return (description, call) => new ServerInterceptingCall(call, {
    start(next) {
      next(new ServerListenerBuilder().withOnReceiveMetadata((metadata, pass) => {
        const [, service, method] = description.path.split('/');
        // Calls in flight may still have to ask the registry over this very port.
        if (door.isClosing && description.path !== VALIDATE) {
          call.sendStatus({code: status.UNAVAILABLE, details: 'the collector is stopping'});
        } else if (settings.validation && !store.has(settings.systemNamespace, service, method)) {
          const details = `method ${description.path} is not registered in namespace '${settings.systemNamespace}'`;
          call.sendStatus({code: status.UNIMPLEMENTED, details});
        } else {
          pass(metadata);
        }
      }).build());
    },
  });
}

async function bind(server, {listen, tls}) {
  const bound = await new Promise((resolve, reject) => {
    server.bindAsync(listen, serverCredentials(tls), (error, number) => (error ? reject(error) : resolve(number)));
  });
  // A wildcard cannot be dialled.
  const host = listen.slice(0, listen.lastIndexOf(':'));
  return `${{'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}[host] ?? host}:${bound}`;
}

/** Asks the registry the question that every call will ask. */
async function proveWiring(asking, settings) {
  const until = Date.now() + READY_LIMIT;
  for (;;) {
    try {
      const isValid = await asking.ask([settings.systemNamespace, REGISTRY, 'ValidateMethod']);
      // A remote registry need not know our namespace: that it answers is all.
      if (!isValid && !settings.registryAddress) throw new Error('the registry does not know its own methods');
      return;
    } catch (error) {
      if (!(error instanceof RegistryUnreachable)) throw error;
      if (Date.now() > until) throw new Error(`the registry cannot be asked: ${error.message}`);
      await pause(50);
    }
  }
}

/** Keeps the health service honest about the registry. */
function watchRegistry(asking, settings, health) {
  return setInterval(() => {
    asking.ask([settings.systemNamespace, REGISTRY, 'ValidateMethod']).then(
      () => health.setStatus('', 'SERVING'),
      () => health.setStatus('', 'NOT_SERVING'),
    );
  }, 250);
}

/** Makes the probe known to a registry that is not the collector's own. */
async function registerProbe(client, settings) {
  for (const namespace of settings.probe) {
    const request = {namespace, service_descriptor: probeDescriptor()};
    try {
      await client.call('RegisterService', request, {deadline: Date.now() + CONNECT_LIMIT});
    } catch (error) {
      if (error.code !== status.ALREADY_EXISTS && error.code !== status.UNIMPLEMENTED) {
        throw new Error(`the registry does not take the probe: ${status[error.code]}`);
      }
    }
  }
}

/** Refuses new calls, and ends when none is in flight any more or the grace period is over. */
async function leave(server, door) {
  door.isClosing = true;
  await pause(REFUSING_WINDOW);
  const until = Date.now() + GRACE_LIMIT;
  while (door.inFlight > 0 && Date.now() < until) await pause(10);
  if (door.inFlight > 0) console.error(`${door.inFlight} calls in flight were cut`);
  // The last answers must leave; what is open after that is nobody's call.
  await Promise.race([new Promise((resolve) => server.tryShutdown(resolve)), pause(REFUSING_WINDOW)]);
}
