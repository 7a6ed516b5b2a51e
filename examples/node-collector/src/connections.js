// The peers that calls can be routed to: one connection for each, whichever side asked for it.
import {randomUUID} from 'node:crypto';
import {setTimeout as pause} from 'node:timers/promises';
import {status} from '@grpc/grpc-js';
import {CollectorClient, NotSent} from './client.js';
import {httpLike, statusOf} from './contract.js';
import {CONNECT_LIMIT, isAddress, MAX_CONNECTIONS} from './settings.js';

export class Connections {
  // By id, or by address for a peer that tells none: an id can never name the latter.
  #byId = new Map();
  #byAddress = new Map();
  #turns = 0;
  #closed = false;

  constructor(id, namespaces, tls) {
    this.id = id;
    this.namespaces = namespaces;
    this.tls = tls;
  }

  get(id) {
    return this.#byId.get(id);
  }

  /** The peers that share a namespace, another one first at each call. */
  sharing(namespace) {
    const found = [...this.#byId.values(), ...this.#byAddress.values()].filter((peer) => peer.shared.includes(namespace));
    const first = found.length > 1 ? this.#turns++ % found.length : 0;
    return [...found.slice(first), ...found.slice(0, first)];
  }

  /** Answers a peer's Connect. */
  accept({collector_id: id, address, namespaces}) {
    if (!address) return refused(400, 'address is required');
    if (!isAddress(address)) return refused(400, `'${address}' is not an address`);
    const shared = this.#intersection(namespaces);
    const connectionId = randomUUID();
    if (id !== this.id && !this.#store(id, address, connectionId, shared)) {
      return refused(429, `there are ${MAX_CONNECTIONS} connections already`);
    }
    return {
      status: statusOf(200, 'OK'),
      connection_id: connectionId,
      shared_namespaces: shared,
      target_collector_id: this.id,
    };
  }

  /** Tries until the collector at the address has agreed. */
  async keepConnecting({address, isAccretional}, advertised) {
    for (let wait = 50; !this.#closed; wait = Math.min(2 * wait, 2_000)) {
      try {
        await this.#connect(address, isAccretional, advertised);
        return;
      } catch (error) {
        console.error(`no connection to ${address} yet: ${error.message}`);
      }
      await pause(wait / 2 + Math.random() * wait, undefined, {ref: false});
    }
  }

  close() {
    this.#closed = true;
    for (const peer of [...this.#byId.values(), ...this.#byAddress.values()]) peer.client.close();
  }

  async #connect(address, isAccretional, advertised) {
    const client = new CollectorClient(address, this.tls);
    let answer;
    try {
      const request = {collector_id: this.id, address: advertised, namespaces: this.namespaces};
      answer = await client.call('Connect', request, {deadline: Date.now() + CONNECT_LIMIT, isAccretional});
    } finally {
      client.close();
    }
    if (answer.status?.code !== 200) throw new Error(`it answered ${answer.status?.code ?? 'without a status'}`);
    if (answer.target_collector_id === this.id) return;
    const shared = this.#intersection(answer.shared_namespaces);
    this.#store(answer.target_collector_id, address, answer.connection_id, shared);
  }

  #intersection(theirs) {
    return [...new Set(theirs)].filter((name) => this.namespaces.includes(name));
  }

  #store(id, address, connectionId, shared) {
    const table = id ? this.#byId : this.#byAddress;
    const key = id || address;
    const known = table.get(key);
    if (!known && this.#byId.size + this.#byAddress.size >= MAX_CONNECTIONS) return false;
    if (known && known.address !== address) known.client.close();
    const client = known?.address === address ? known.client : new CollectorClient(address, this.tls);
    table.set(key, {id, address, connectionId, shared, client});
    return true;
  }
}

/**
 * Asks a peer to execute a call. `sent` tells whether the request went out: where it did not, the
 * handler has certainly not run.
 */
export async function serveAt(peer, request, options) {
  try {
    const response = await peer.client.call('Serve', request, options);
    if (response.status) return {response, sent: true};
    return {response: {status: statusOf(500, `collector '${peer.id}' answered without a status`)}, sent: true};
  } catch (error) {
    const name = status[error.code] ?? 'UNKNOWN';
    const text = `the call to collector '${peer.id}' failed: ${name}`;
    return {response: {status: statusOf(httpLike(error.code), text)}, sent: !(error instanceof NotSent)};
  }
}

function refused(code, message) {
  return {status: statusOf(code, message)};
}
