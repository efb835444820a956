// Requests to the server of this page. Every fault becomes a `RequestFault` that says what the server said.

import type { Box, Collection, Item, ItemPage, LayerSchema, Statistics, Target, Unit } from './types';

export class RequestFault extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly requestId: string,
    /** The whole problem document. */
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = 'RequestFault';
  }
}

export const base = (): string => new URL('.', location.href.split('#')[0]).href.replace(/\/$/, '');

export type Query = Record<string, string | undefined>;

/** The path with its query; parameters without a value are left out. */
export function pathOf(path: string, query: Query = {}): string {
  const pairs = Object.entries(query)
    .filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2C', ',')}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

/** The command that asks the server the very same question from a shell. */
export function curlOf(path: string, origin: string = base()): string {
  return `curl -s '${`${origin}${path}`.replaceAll("'", '%27')}'`;
}

/** Reads JSON from a path of this server, or from an absolute link that the server gave. */
export async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, { signal: signal ?? null })).json()) as T;
}

/** Asks this server; an answer that is no success becomes a fault. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  // Not the very header of GDAL's drivers, which may not ask for a moment (src/api/picture.rs).
  const headers = { accept: 'application/geo+json, application/json;q=0.9', ...(init.headers as Record<string, string> | undefined) };
  const answer = await fetch(sameOrigin(path), { ...init, headers });
  if (!answer.ok) throw await faultOf(answer);
  return answer;
}

/** A link of the server may carry another host name (a proxy, localhost): only its path and query are followed. */
function sameOrigin(path: string): string {
  if (path.startsWith('/')) return base() + path;
  const link = new URL(path);
  return link.origin === location.origin ? link.href : location.origin + link.pathname + link.search;
}

async function faultOf(answer: Response): Promise<RequestFault> {
  const requestId = answer.headers.get('x-request-id') ?? '';
  try {
    const body = (await answer.json()) as { title?: string; detail?: string; code?: string; request_id?: string };
    return new RequestFault(body.detail ?? body.title ?? answer.statusText, answer.status, body.code ?? '', body.request_id ?? requestId, body);
  } catch {
    return new RequestFault(answer.statusText, answer.status, '', requestId);
  }
}

/** What went wrong, in the words of the server where it said some; also for what others than this file asked of it. */
export async function faultText(fault: unknown): Promise<string> {
  if (fault instanceof Error && 'body' in fault && fault.body instanceof Blob) {
    const text = await fault.body.text();
    try {
      const { detail, title } = JSON.parse(text) as { detail?: string; title?: string };
      return detail ?? title ?? fault.message;
    } catch {
      return fault.message;
    }
  }
  return fault instanceof Error ? fault.message : String(fault);
}

export const layerPath = (layer: string): string => `/collections/${encodeURIComponent(layer)}`;

export const itemsPath = (layer: string, query: { bbox?: Box; filter?: string; limit?: number; properties?: string; datetime?: string | undefined } = {}): string =>
  pathOf(`${layerPath(layer)}/items`, {
    bbox: query.bbox?.map((degrees) => String(Math.round(degrees * 1e7) / 1e7)).join(','),
    filter: query.filter,
    properties: query.properties,
    limit: query.limit?.toString(),
    datetime: query.datetime,
  });

/** A feature, of now or of a moment. */
export const itemPath = (layer: string, id: string, datetime?: string): string => pathOf(`${layerPath(layer)}/items/${encodeURIComponent(id)}`, { datetime });

/** The most detailed tiles that are asked for; nearer views enlarge them, whose unit is below four centimetres. */
export const LAST_TILES = 18;

/**
 * The address of a layer's tiles, whole, because it is asked from outside the page. Tiles hold just the properties named and the one
 * that colours the layer, by which small features are gathered; either may be none.
 */
export function tilesUrl(layer: string, query: { properties: readonly string[]; color: string; filter: string; datetime?: string | undefined }): string {
  const asked = { properties: query.properties.join(','), class: query.color };
  const pairs = Object.entries(asked).map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2C', ',')}`);
  if (query.filter !== '') pairs.push(`filter=${encodeURIComponent(query.filter)}`);
  if (query.datetime !== undefined) pairs.push(`datetime=${encodeURIComponent(query.datetime)}`);
  return `${base()}${layerPath(layer)}/tiles/WebMercatorQuad/{z}/{y}/{x}?${pairs.join('&')}`;
}

export const statisticsPath = (layer: string, query: { groupBy?: string; unit?: Unit; filter?: string; datetime?: string | undefined } = {}): string =>
  pathOf(`${layerPath(layer)}/statistics`, { 'group-by': query.groupBy, unit: query.unit, filter: query.filter, datetime: query.datetime });

export const readCollections = async (): Promise<Collection[]> => (await read<{ collections: Collection[] }>('/collections')).collections;
export const readSchema = (layer: string): Promise<LayerSchema> => read(`${layerPath(layer)}/schema`);
export const readItems = (path: string, signal?: AbortSignal): Promise<ItemPage> => read(path, signal);
export const readItem = (layer: string, id: string, signal?: AbortSignal): Promise<Item> => read(itemPath(layer, id), signal);
export const readStatistics = (path: string, signal?: AbortSignal): Promise<Statistics> => read(path, signal);

/** The targets of this workspace; a server or workspace that keeps none has an empty list. */
export async function readTargets(datetime?: string): Promise<Target[]> {
  try {
    return (await read<{ targets: Target[] }>(pathOf('/targets', { datetime }))).targets;
  } catch (fault) {
    if (fault instanceof RequestFault && fault.status === 404) return [];
    throw fault;
  }
}
