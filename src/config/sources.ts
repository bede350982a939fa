import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { flagOf, type Setting, type SettingKey, settingKeys, settings } from './settings.ts';

export interface Sources {
  /** By the name of the flag without its dashes. */
  flags: Readonly<Record<string, unknown>>;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

export interface Given {
  value: string;
  origin: string;
}

/** What was given for each setting by the first source that has it, flag before environment before file. */
export function collect(sources: Sources, problems: string[]): Map<SettingKey, Given> {
  const { flags, env } = sources;
  for (const name of Object.keys(env)) {
    if (!name.startsWith('COFFER_') || env[name] === undefined || isServiceLink(name, env[name])) continue;
    reportUnknown(name, 'the environment', problems);
  }
  const file = readSettingsFile(sources, problems);
  const collected = new Map<SettingKey, Given>();
  for (const key of settingKeys) {
    const record: Setting<unknown> = settings[key];
    const flag = flagOf(record);
    const fromFlag = flag === undefined ? undefined : flags[flag];
    const fromEnv = env[record.name];
    if (typeof fromFlag === 'string') collected.set(key, { value: fromFlag, origin: `flag --${flag}` });
    else if (fromEnv !== undefined) collected.set(key, { value: fromEnv, origin: 'environment' });
    else {
      const fromFile = file.get(record.name);
      if (fromFile !== undefined) collected.set(key, fromFile);
    }
  }
  return collected;
}

function readSettingsFile({ flags, env, cwd }: Sources, problems: string[]): Map<string, Given> {
  const given = flags['config-file'] ?? env['COFFER_CONFIG_FILE'];
  const found = new Map<string, Given>();
  if (typeof given !== 'string' || given === '') return found;
  const path = resolve(cwd, given);
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(`COFFER_CONFIG_FILE: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return found;
  }
  for (const [index, line] of content.split('\n').entries()) {
    const place = `${path}:${index + 1}`;
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const [, name, value] = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(trimmed) ?? [];
    if (name === undefined || value === undefined) problems.push(`${place}: a line is NAME=VALUE`);
    else if (name === 'COFFER_CONFIG_FILE')
      problems.push(`${place}: ${name} cannot be set in the file itself`);
    else if (found.has(name)) problems.push(`${place}: ${name} is set a second time`);
    else {
      reportUnknown(name, place, problems);
      found.set(name, { value: value.replace(/^(["'])(.*)\1$/, '$2'), origin: `file ${place}` });
    }
  }
  return found;
}

// Of the client's commands and of the test suite: they may stand in the same environment as the server's.
const FOREIGN = /^COFFER_(?:TEST_|URL$|ALLOW_INSECURE$|CREDENTIAL_FILE$)/;

/** Kubernetes tells every pod where a Service called `coffer` is. */
function isServiceLink(name: string, value: string): boolean {
  if (name === 'COFFER_PORT') return /^(?:tcp|udp|sctp):/.test(value);
  return /^COFFER_(?:SERVICE_(?:HOST|PORT)|PORT_\d+_(?:TCP|UDP|SCTP))(?:_\w+)?$/.test(name);
}

function reportUnknown(name: string, place: string, problems: string[]): void {
  if (FOREIGN.test(name)) return;
  const known: string[] = settingKeys.map((key) => settings[key].name);
  if (known.includes(name)) return;
  const nearest = known.toSorted((a, b) => distance(a, name) - distance(b, name))[0];
  problems.push(`${name} in ${place} is no setting; the nearest is ${nearest}`);
}

/** Levenshtein's: the fewest letters to put in, take out or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split('').entries()) {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
