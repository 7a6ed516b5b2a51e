// Certificates: what this collector shows, and what it trusts others by.
import {readFileSync} from 'node:fs';
import {credentials, ServerCredentials} from '@grpc/grpc-js';

/** What a server shows that has these files; plaintext without. */
export function serverCredentials(tls) {
  if (!tls) return ServerCredentials.createInsecure();
  const {cert, key, ca} = read(tls);
  return ServerCredentials.createSsl(ca, [{cert_chain: cert, private_key: key}], tls.demandsClients);
}

/** What a client shows and trusts that has these files; plaintext without. */
export function clientCredentials(tls) {
  if (!tls) return credentials.createInsecure();
  const {cert, key, ca} = read(tls);
  return credentials.createSsl(ca, key, cert);
}

function read({cert, key, ca}) {
  return {cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca)};
}
