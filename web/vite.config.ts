import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The page is served from the root of the server that holds it (or from any folder: paths are relative).
// `MUTU_URL` names the server that `npm run dev` asks for data.
const server = process.env['MUTU_URL'] ?? 'http://127.0.0.1:8080';
const api = ['/collections', '/targets', '/facts', '/health', '/changes', '/session', '/sign-in', '/outside'];

export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: { target: 'es2022', sourcemap: false, assetsInlineLimit: 0, chunkSizeWarningLimit: 1200 },
  worker: { format: 'es' },
  server: { host: '127.0.0.1', proxy: Object.fromEntries(api.map((path) => [path, server])) },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
