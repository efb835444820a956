import { beforeAll, describe, expect, it, vi } from 'vitest';
import { faultText, itemsPath, tilesUrl } from './client';

beforeAll(() => {
  vi.stubGlobal('location', { href: 'http://bureau.lan:8080/#layers=parcels', origin: 'http://bureau.lan:8080' });
});

describe('the address of tiles', () => {
  it('is whole, of the same origin, row before column', () => {
    expect(tilesUrl('地块', { properties: ['name', 'code'], color: 'status', filter: '' })).toBe(
      'http://bureau.lan:8080/collections/%E5%9C%B0%E5%9D%97/tiles/WebMercatorQuad/{z}/{y}/{x}?properties=name,code&class=status',
    );
  });

  it('says that nothing is wanted where nothing is, because what is not said means the usual', () => {
    expect(tilesUrl('a', { properties: [], color: '', filter: '' })).toMatch(/\?properties=&class=$/);
  });

  it('lets no filter be taken for a place in it', () => {
    const url = tilesUrl('a', { properties: [], color: '', filter: "name = '{z}&class=x'" });
    expect(url).not.toContain("'{z}");
    expect(new URL(url).searchParams.get('filter')).toBe("name = '{z}&class=x'");
  });
});

describe('the path of items', () => {
  it('keeps a box that is narrower than a metre apart', () => {
    expect(itemsPath('a', { bbox: [112.9000001, 22.7, 112.9000005, 22.7000004] })).toBe('/collections/a/items?bbox=112.9000001,22.7,112.9000005,22.7000004');
  });
});

describe('what went wrong', () => {
  it('is what the server said, else what the fault says', async () => {
    const said = Object.assign(new Error('503'), { body: new Blob([JSON.stringify({ title: 'unavailable', detail: 'the layer is being rebuilt' })]) });
    expect(await faultText(said)).toBe('the layer is being rebuilt');
    expect(await faultText(Object.assign(new Error('502'), { body: new Blob(['<html>']) }))).toBe('502');
    expect(await faultText(new Error('Failed to fetch'))).toBe('Failed to fetch');
  });
});
