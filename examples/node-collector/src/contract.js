// The messages of the contract, from the files of `protos/`, the well-known types, and the numbers
// of statuses. Nothing is generated.
import {fileURLToPath} from 'node:url';
import {loadSync} from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const files = ['collector/dispatcher.proto', 'collector/registry.proto'];
const includeDirs = [fileURLToPath(new URL('../protos', import.meta.url))];
export const packageDefinition = loadSync(files, {includeDirs, keepCase: true, defaults: true});
export const DISPATCHER = 'collector.CollectiveDispatcher';
export const REGISTRY = 'collector.CollectorRegistry';

const wellKnown = new protobuf.Root();
for (const name of ['any', 'duration', 'empty', 'struct', 'wrappers']) {
  wellKnown.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`).nested);
}

/** Packs an object as the well-known type of that name. */
export function pack(name, object) {
  const type = wellKnown.lookupType(`google.protobuf.${name}`);
  return {type_url: `type.googleapis.com/google.protobuf.${name}`, value: Buffer.from(type.encode(object).finish())};
}

/** Unpacks an Any of that well-known type; anything else is undefined. */
export function unpack(name, any) {
  if (!any || any.type_url.split('/').pop() !== `google.protobuf.${name}`) return undefined;
  try {
    return wellKnown.lookupType(`google.protobuf.${name}`).decode(any.value);
  } catch {
    return undefined;
  }
}

/** How ConnectRequest is written in the `accretional` dialect. */
const accretional = protobuf.parse(`
  syntax = "proto3";
  message ConnectRequest {
    string address = 1;
    repeated string namespaces = 2;
    map<string, string> metadata = 3;
  }`).root.lookupType('ConnectRequest');

/** The definition of Connect in a dialect; in both it takes and gives the native object. */
export function connectDefinition(isAccretional) {
  const native = packageDefinition[DISPATCHER].Connect;
  if (!isAccretional) return native;
  return {
    ...native,
    requestSerialize: ({address, namespaces, collector_id}) =>
      Buffer.from(accretional.encode({address, namespaces, metadata: {collector_id}}).finish()),
    requestDeserialize: (bytes) => {
      const {address, namespaces, metadata} = accretional.decode(bytes);
      return {address, namespaces, collector_id: metadata.collector_id ?? ''};
    },
  };
}


export function statusOf(code, message) {
  return {code, message, details: {}};
}

/** The registry's own numbers, which from NOT_FOUND on are not gRPC's. */
export const IN_BAND = {OK: 0, NOT_FOUND: 4};

const HTTP_LIKE = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 12: 501, 14: 503, 16: 401};

/** The dispatcher's number for a gRPC code. */
export function httpLike(code) {
  return HTTP_LIKE[code] ?? 500;
}
