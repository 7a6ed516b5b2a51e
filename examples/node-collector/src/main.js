#!/usr/bin/env node
import {run} from './server.js';
import {SettingsError, settingsFrom} from './settings.js';

const stopped = new Promise((resolve) => {
  process.on('SIGTERM', resolve);
  process.on('SIGINT', resolve);
});
try {
  await run(settingsFrom(process.env), stopped);
  process.exit(0);
} catch (error) {
  console.error(error.message);
  process.exit(error instanceof SettingsError ? 2 : 1);
}
