// What the page asks to be changed, and what it reads of changes. Nobody overwrites another: each change says which version its author saw.

import type { Geometry } from 'geojson';
import { ask, itemPath, layerPath, pathOf, read, RequestFault } from './client';
import type { Change, EditAnswer, Feed, FeedDetail, Finding, Item, ItemHistory, Session, Settled, Tagged, Value, Waiting } from './types';

/** A note in a header: headers carry no Chinese. */
const noteHeader = (note: string): Record<string, string> => (note === '' ? {} : { 'mutu-note': encodeURIComponent(note) });

/** The number of the edit that last put a feature, from its tag. */
export function versionOf(etag: string): number {
  const version = /^(?:W\/)?"(\d+)/.exec(etag)?.[1];
  if (version === undefined) throw new Error(`the tag ${etag} names no version`);
  return Number(version);
}

export async function readTagged(layer: string, id: string, signal?: AbortSignal): Promise<Tagged> {
  const answer = await ask(itemPath(layer, id), { cache: 'no-cache', signal: signal ?? null });
  return { item: (await answer.json()) as Item, etag: answer.headers.get('etag') ?? '' };
}

export interface Patch {
  properties?: Record<string, Value>;
  geometry?: Geometry | null;
}

/** Changes some of a feature, if it still is as its author saw it; 412 otherwise. The tag is that of what it is now. */
export async function patchItem(layer: string, id: string, etag: string, patch: Patch, note: string): Promise<string> {
  const answer = await ask(itemPath(layer, id), {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json', 'if-match': etag, ...noteHeader(note) },
    body: JSON.stringify(patch),
  });
  return answer.headers.get('etag') ?? '';
}

async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const answer = await ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: signal ?? null });
  return (await answer.json()) as T;
}

const tried = (dryRun: boolean): Record<string, string | undefined> => ({ 'dry-run': dryRun ? 'true' : undefined });

/** Makes one edit of several changes, or tries what it would do. */
export const postChanges = (note: string, changes: readonly Change[], dryRun = false, signal?: AbortSignal): Promise<EditAnswer> =>
  post(pathOf('/changes', tried(dryRun)), { note, changes }, signal);

export const undoChange = (seq: number, note: string, dryRun = false): Promise<EditAnswer> => post(pathOf(`/changes/${seq}/undo`, tried(dryRun)), { note });

export const restoreItem = (layer: string, id: string, seq: number, note: string, dryRun = false): Promise<EditAnswer> =>
  post(pathOf(`${layerPath(layer)}/restore`, tried(dryRun)), { seq, id: Number(id), note });

export const historyPath = (layer: string, id: string): string => `${itemPath(layer, id)}/history`;
export const readHistory = (layer: string, id: string): Promise<ItemHistory> => read(historyPath(layer, id));
export const readFeed = (since: number, limit: number): Promise<Feed> => read(pathOf('/changes', { since: String(since), limit: String(limit) }));
export const readChange = (seq: number): Promise<FeedDetail> => read(`/changes/${seq}`);

export const readWaiting = (): Promise<Waiting> => read('/outside');
/** Takes in what other programs did to the layers, or puts it back. */
export const decideOutside = (decision: 'take' | 'refuse', layers: readonly string[], note: string): Promise<Settled> => post('/outside', { do: decision, layers, note });

/** Who looks. A server without people answers 404: then everything is allowed, to nobody in particular. */
export async function readSession(): Promise<Session> {
  try {
    return await read<Session>('/session');
  } catch (fault) {
    if (fault instanceof RequestFault && fault.status === 404) return { user: null, role: '', mayEdit: true, signIn: null };
    throw fault;
  }
}

export async function signIn(name: string, password: string): Promise<void> {
  await ask('/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name, password }) });
}

export async function signOut(): Promise<void> {
  await ask('/session', { method: 'DELETE' });
}

/** What a problem document says about single fields and places. */
export function findingsOf(fault: unknown): Finding[] {
  const given = fault instanceof RequestFault ? fault.body['findings'] : undefined;
  return Array.isArray(given) ? (given as Finding[]) : [];
}

/** Whether a change was refused because its author saw an older version. */
export const isStale = (fault: unknown): boolean => fault instanceof RequestFault && (fault.status === 412 || (fault.status === 409 && fault.code === 'conflict'));
