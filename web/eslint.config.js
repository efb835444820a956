import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist/', 'node_modules/'] },
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { parserOptions: { extraFileExtensions: ['.svelte'] } } },
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-shadow': 'error',
      // Maps and sets that live for one computation need no reactivity.
      'svelte/prefer-svelte-reactivity': 'off',
      // The view keeps its choices by layer; taking one back deletes its key.
      '@typescript-eslint/no-dynamic-delete': 'off',
      // `void x` marks a value that an effect must depend on.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
    },
  },
);
