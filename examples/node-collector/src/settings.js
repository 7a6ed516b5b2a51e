// The launch contract, read once from the environment, and the limits of this collector, which
// target.yaml declares.
export const CACHE_LIFE = 2_000;
export const CONNECT_LIMIT = 2_000;
export const FORWARD_LIMIT = 5_000;
export const READY_LIMIT = 5_000;
export const GRACE_LIMIT = 10_000;
export const REFUSING_WINDOW = 200;
export const MESSAGE_SIZE = 4 << 20;
export const MAX_CONNECTIONS = 2_000;
const MARK = 'accretional+';

export class SettingsError extends Error {}

/** Reads the settings; an error names the variable and what it may hold. */
export function settingsFrom(environment) {
  const get = (name) => environment[name] ?? '';
  const choice = (name, first, second) => {
    const value = get(name) || first;
    if (value !== first && value !== second) {
      throw new SettingsError(`${name} is '${value}': it must be ${first} or ${second}`);
    }
    return value === second;
  };
  if (!get('COLLECTOR_ID')) throw new SettingsError('COLLECTOR_ID is required: the id by which peers know this collector');
  const [, journal] = /^file:(.+)$/.exec(get('COLLECTOR_REGISTRY')) ?? [];
  if (!journal && !['', 'memory'].includes(get('COLLECTOR_REGISTRY'))) {
    throw new SettingsError(`COLLECTOR_REGISTRY is '${get('COLLECTOR_REGISTRY')}': it must be memory or file:PATH`);
  }
  const connect = list(get('COLLECTOR_CONNECT')).map((address) => ({
    address: address.startsWith(MARK) ? address.slice(MARK.length) : address,
    isAccretional: address.startsWith(MARK) || get('COLLECTOR_DIALECT') === 'accretional',
  }));
  for (const {address} of connect) {
    if (!isAddress(address)) throw new SettingsError(`COLLECTOR_CONNECT holds '${address}': it must be host:port`);
  }
  const listen = get('COLLECTOR_LISTEN') || '127.0.0.1:0';
  if (!/^(.+|\[.+\]):\d+$/.test(listen)) throw new SettingsError(`COLLECTOR_LISTEN is '${listen}': it must be host:port`);
  return Object.freeze({
    id: get('COLLECTOR_ID'),
    listen,
    advertise: get('COLLECTOR_ADVERTISE'),
    namespaces: list(get('COLLECTOR_NAMESPACES')),
    connect,
    systemNamespace: get('COLLECTOR_SYSTEM_NAMESPACE') || 'system',
    registryAddress: get('COLLECTOR_REGISTRY_ADDRESS'),
    probe: list(get('COLLECTOR_PROBE')),
    isAccretional: choice('COLLECTOR_DIALECT', 'native', 'accretional'),
    validation: !choice('COLLECTOR_VALIDATION', 'on', 'off'),
    journal,
    tls: tlsFrom(get),
  });
}

function tlsFrom(get) {
  const names = ['CERT', 'KEY', 'CA'].map((each) => `COLLECTOR_TLS_${each}`);
  const [cert, key, ca] = names.map(get);
  const demandsClients = get('COLLECTOR_TLS_CLIENT_AUTH') === 'require';
  if (!cert && !key && !ca && !demandsClients) return undefined;
  const missing = names.find((name) => !get(name));
  if (missing) throw new SettingsError(`${missing} is not set: TLS takes ${names.join(', ')}`);
  return Object.freeze({cert, key, ca, demandsClients});
}

/** Tells whether an address can be one of a collector. */
export function isAddress(address) {
  if (/^(dns:\/\/\/|ipv4:|ipv6:|unix:|xds:\/\/\/)./.test(address)) return true;
  const found = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})$/.exec(address);
  return found !== null && Number(found[2]) > 0 && Number(found[2]) < 65_536;
}

function list(text) {
  return text.split(',').map((part) => part.trim()).filter(Boolean);
}
