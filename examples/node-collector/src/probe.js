// The services by which a verifier sees from outside what was executed, and what the guard lets in.
import {Deliberate} from './handlers.js';
import {pack, unpack} from './contract.js';

export const PROBE = 'conformance.Probe';
export const PORT = 'conformance.Port';
const ANY = '.google.protobuf.Any';

/** The handlers of `conformance.Probe`; they count for all namespaces together. */
export function probe(id) {
  const runs = new Map();
  let cancelled = 0;
  const count = (input) => {
    const key = text(input);
    runs.set(key, (runs.get(key) ?? 0) + 1);
    return pack('Int64Value', {value: runs.get(key)});
  };
  return {
    Echo: (input) => input,
    WhoAmI: () => pack('StringValue', {value: id}),
    Count: count,
    Unregistered: count,
    Fail: (input) => {
      throw new Deliberate(text(input));
    },
    FailAfterCount: (input) => {
      count(input);
      throw new Deliberate('counted, then failed');
    },
    Crash: () => {
      throw undefined;
    },
    Sleep: (input, scope) => {
      const duration = unpack('Duration', input);
      if (!duration) throw new Deliberate('Sleep takes a Duration');
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve(pack('Empty', {})), Number(duration.seconds) * 1000 + duration.nanos / 1e6);
        scope.onCancelled(() => {
          clearTimeout(timer);
          cancelled += 1;
          reject(new Deliberate('cancelled'));
        });
      });
    },
    Cancelled: () => pack('Int64Value', {value: cancelled}),
    Silent: () => undefined,
    WrongType: () => ({what: 'no message'}),
    Context: (_input, scope) => pack('Struct', {fields: {
      deadline_seconds: scope.deadline === Infinity ? {nullValue: 0} : {numberValue: (scope.deadline - Date.now()) / 1000},
      metadata: {structValue: {fields: shown(scope.metadata)}},
    }}),
  };
}

function shown(metadata) {
  const fields = {};
  for (const name of Object.keys(metadata.getMap())) {
    const values = metadata.get(name).map((value) => ({stringValue: Buffer.isBuffer(value) ? value.toString('base64') : value}));
    fields[name] = {listValue: {values}};
  }
  return fields;
}

/** What the registry knows of the probe: one method less and one more than there are. */
export function probeDescriptor() {
  const names = Object.keys(probe('')).filter((name) => name !== 'Unregistered');
  return {name: PROBE, method: [...names, 'Declared'].map((name) => ({name, inputType: ANY, outputType: ANY}))};
}

function text(input) {
  const found = unpack('StringValue', input);
  if (!found) throw new Deliberate('a StringValue is expected');
  return found.value;
}

/** `conformance.Port` as a definition and its implementation. */
export function port() {
  let runs = 0;
  const nothing = Buffer.alloc(0);
  const method = (name, responseStream, responseSerialize = () => nothing) => ({
    path: `/${PORT}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: () => nothing,
    requestDeserialize: () => ({}),
    responseSerialize,
    responseDeserialize: () => ({}),
  });
  const unary = (_call, answer) => {
    runs += 1;
    answer(null, {});
  };
  const stream = (call) => {
    runs += 1;
    for (let sent = 0; sent < 3; sent += 1) call.write({});
    call.end();
  };
  return {
    definition: {
      Unary: method('Unary', false),
      Unregistered: method('Unregistered', false),
      Stream: method('Stream', true),
      UnregisteredStream: method('UnregisteredStream', true),
      Runs: method('Runs', false, (value) => pack('Int64Value', {value}).value),
    },
    implementation: {
      Unary: unary,
      Unregistered: unary,
      Stream: stream,
      UnregisteredStream: stream,
      Runs: (_call, answer) => answer(null, runs),
    },
  };
}

/** Tells whether a method of the port is registered: all but two of the probe's. */
export function isOpen(service, method) {
  return service !== PORT || !method.startsWith('Unregistered');
}
