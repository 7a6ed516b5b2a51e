// Calls to other collectors and to the own port: a promise for each, cancelled with the call that
// it is made for, and an error that tells whether anything was sent.
import {Client, Metadata, connectivityState, status} from '@grpc/grpc-js';
import {connectDefinition, DISPATCHER, packageDefinition, REGISTRY} from './contract.js';
import {CONNECT_LIMIT, MESSAGE_SIZE} from './settings.js';
import {clientCredentials} from './tls.js';

/** The call has certainly not reached a handler: there was no connection. */
export class NotSent extends Error {
  constructor(code) {
    super(status[code]);
    this.code = code;
  }
}

const METHODS = {...packageDefinition[REGISTRY], ...packageDefinition[DISPATCHER]};

export class CollectorClient {
  #client;

  /** `tls` are the files of its certificates; plaintext without. */
  constructor(address, tls) {
    this.#client = new Client(target(address), clientCredentials(tls), {
      'grpc.max_receive_message_length': MESSAGE_SIZE,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.enable_http_proxy': 0,
    });
  }

  /**
   * Calls a method of the contract. `deadline` is in milliseconds of the clock; `scope` is the
   * call that this one is made for.
   */
  async call(name, request, {deadline, metadata = new Metadata(), scope, isAccretional = false}) {
    const method = name === 'Connect' ? connectDefinition(isAccretional) : METHODS[name];
    await this.#connected(Math.min(deadline, Date.now() + CONNECT_LIMIT), deadline, scope);
    return new Promise((resolve, reject) => {
      const {path, requestSerialize, responseDeserialize} = method;
      const options = {deadline: new Date(deadline)};
      const made = this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options,
        (error, response) => (error ? reject(error) : resolve(response)));
      scope?.onCancelled(() => made.cancel());
    });
  }

  close() {
    this.#client.close();
  }

  /** Waits for a connection. What fails here was never sent. */
  async #connected(until, deadline, scope) {
    const channel = this.#client.getChannel();
    for (;;) {
      if (scope?.cancelled) throw new NotSent(status.CANCELLED);
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return;
      if (state === connectivityState.TRANSIENT_FAILURE) throw new NotSent(status.UNAVAILABLE);
      if (Date.now() >= until) {
        throw new NotSent(Date.now() >= deadline ? status.DEADLINE_EXCEEDED : status.UNAVAILABLE);
      }
      await new Promise((resolve) => channel.watchConnectivityState(state, until, resolve));
    }
  }
}

function target(address) {
  return address.includes(':///') || /^(ipv4|ipv6|unix):/.test(address) ? address : `dns:${address}`;
}
