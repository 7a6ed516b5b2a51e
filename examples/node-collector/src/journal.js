// Registrations that outlive the process: a line for each in a file, as the request that made it.
import {closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync} from 'node:fs';
import {packageDefinition, REGISTRY} from './contract.js';

const {RegisterService, RegisterProto} = packageDefinition[REGISTRY];
const METHODS = {RegisterService, RegisterProto};

export class Journal {
  #file;
  /** What was registered before: {rpc, at, request}, oldest first. */
  entries;

  constructor(path) {
    this.#file = openSync(path, 'a+');
    const text = readFileSync(path);
    // A line without an end was never acknowledged: its process died over it.
    const whole = text.lastIndexOf('\n') + 1;
    ftruncateSync(this.#file, whole);
    this.entries = text.subarray(0, whole).toString().split('\n').filter(Boolean).map((line) => {
      const {rpc, at, request} = JSON.parse(line);
      return {rpc, at, request: METHODS[rpc].requestDeserialize(Buffer.from(request, 'base64'))};
    });
  }

  /** Returns when the request would be found again, whatever happens to the process now. */
  add(rpc, at, request) {
    const written = METHODS[rpc].requestSerialize(request).toString('base64');
    writeSync(this.#file, `${JSON.stringify({rpc, at, request: written})}\n`);
    fsyncSync(this.#file);
  }

  close() {
    closeSync(this.#file);
  }
}
