// The registry: its records in memory and, where there is one, in a journal; and its five RPCs.
import {status} from '@grpc/grpc-js';
import {IN_BAND, statusOf} from './contract.js';

/** Records by namespace and name. Maps in maps: a joined text would let pairs meet. */
class Table {
  #namespaces = new Map();

  get(namespace, name) {
    return this.#namespaces.get(namespace)?.get(name);
  }

  /** Stores a record where there is none, and tells whether it did. */
  add(namespace, name, record) {
    const names = this.#namespaces.get(namespace) ?? new Map();
    this.#namespaces.set(namespace, names);
    if (names.has(name)) return false;
    names.set(name, record);
    return true;
  }

  *of(namespace) {
    const wanted = namespace === '' ? [...this.#namespaces.keys()] : [namespace];
    for (const each of wanted) yield* this.#namespaces.get(each)?.values() ?? [];
  }
}

export class Store {
  services = new Table();
  protos = new Table();
  onChange = () => {};
  #journal;

  /** Begins with what the journal holds; without one, registrations end with the process. */
  constructor(journal) {
    this.#journal = journal;
    for (const {rpc, at, request} of journal?.entries ?? []) {
      if (rpc === 'RegisterProto') this.protos.add(request.namespace, request.file_descriptor.name, request.file_descriptor);
      else this.addService(request.namespace, request.service_descriptor, at);
    }
  }

  /** Stores what a request registers, and returns the record; undefined where there is one already. */
  registerService(request) {
    const {namespace, service_descriptor: descriptor} = request;
    if (this.services.get(namespace, descriptor.name)) return undefined;
    this.#journal?.add('RegisterService', seconds(), request);
    return this.addService(namespace, descriptor);
  }

  /** Stores what a request registers, and tells whether it was new. */
  registerProto(request) {
    const {namespace, file_descriptor: file} = request;
    if (this.protos.get(namespace, file.name)) return false;
    this.#journal?.add('RegisterProto', seconds(), request);
    return this.protos.add(namespace, file.name, file);
  }

  addService(namespace, descriptor, at = seconds()) {
    const names = (descriptor.method ?? []).map((method) => method.name);
    const now = {seconds: at, nanos: 0};
    const record = {
      id: `${namespace}/${descriptor.name}`,
      namespace,
      service_name: descriptor.name,
      service_descriptor: descriptor,
      method_names: names,
      metadata: {created_at: now, updated_at: now, labels: {}},
    };
    if (!this.services.add(namespace, descriptor.name, {record, methods: new Set(names)})) return undefined;
    this.onChange();
    return record;
  }

  has(namespace, service, method) {
    return this.services.get(namespace, service)?.methods.has(method) ?? false;
  }
}

function seconds() {
  return Math.floor(Date.now() / 1000);
}

class Refusal extends Error {
  constructor(code, details) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

/** The RPCs of the registry, as functions of the request. */
export function registry(store, systemNamespace) {
  const required = (condition, what) => {
    if (!condition) throw new Refusal(status.INVALID_ARGUMENT, `${what} is required`);
  };
  const writable = (namespace) => {
    required(namespace, 'namespace');
    if (namespace === systemNamespace) {
      throw new Refusal(status.PERMISSION_DENIED, `namespace '${namespace}' is the collector's own`);
    }
  };
  return {
    RegisterService(request) {
      const {namespace, service_descriptor: descriptor} = request;
      writable(namespace);
      required(descriptor, 'service_descriptor');
      required(descriptor.name, 'service_descriptor.name');
      const seen = new Set();
      for (const {name} of descriptor.method) {
        if (!name) throw new Refusal(status.INVALID_ARGUMENT, 'a method has no name');
        if (seen.has(name)) throw new Refusal(status.INVALID_ARGUMENT, `two methods are named '${name}'`);
        seen.add(name);
      }
      const record = store.registerService(request);
      if (!record) {
        throw new Refusal(status.ALREADY_EXISTS, `service '${descriptor.name}' is already registered in namespace '${namespace}'`);
      }
      return {status: statusOf(IN_BAND.OK, 'OK'), service_id: record.id, registered_methods: record.method_names};
    },
    RegisterProto(request) {
      const {namespace, file_descriptor: file} = request;
      writable(namespace);
      required(file, 'file_descriptor');
      required(file.name, 'file_descriptor.name');
      if (!store.registerProto(request)) {
        throw new Refusal(status.ALREADY_EXISTS, `proto '${file.name}' is already registered in namespace '${namespace}'`);
      }
      return {
        status: statusOf(IN_BAND.OK, 'OK'),
        proto_id: `${namespace}/${file.name}`,
        registered_messages: file.messageType.map((message) => message.name),
      };
    },
    LookupService({namespace, service_name: name}) {
      const found = store.services.get(namespace, name);
      return found
        ? {status: statusOf(IN_BAND.OK, 'OK'), service: found.record}
        : {status: statusOf(IN_BAND.NOT_FOUND, `service '${name}' not found in namespace '${namespace}'`)};
    },
    ValidateMethod({namespace, service_name: service, method_name: method}) {
      if (store.has(namespace, service, method)) {
        return {status: statusOf(IN_BAND.OK, 'OK'), is_valid: true, message: 'OK'};
      }
      const message = `method '${service}.${method}' not found in namespace '${namespace}'`;
      return {status: statusOf(IN_BAND.NOT_FOUND, message), is_valid: false, message};
    },
    ListServices({namespace}) {
      const services = Array.from(store.services.of(namespace), ({record}) => record);
      return {status: statusOf(IN_BAND.OK, 'OK'), services};
    },
  };
}
