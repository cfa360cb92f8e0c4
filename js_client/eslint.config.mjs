// The sources must be ES3, and name nothing that nobody defined. es3.mjs checks what is built, by other means.
import js from '@eslint/js';
import esx from 'eslint-plugin-es-x';

/** All later features are off; `no-` is how the plugin names the rules that forbid. */
const afterEs3 = Object.keys(esx.rules).filter((rule) => rule.startsWith('no-'));

export default [{
  // A file of src/ by itself is part of a program: dist/anywire.js is all of them, joined, and that is what is checked.
  files: ['**/*.js'],
  ...js.configs.recommended,
  linterOptions: { reportUnusedDisableDirectives: 'off' },
  languageOptions: { ecmaVersion: 3, sourceType: 'script', globals: Object.fromEntries(
    ['self', 'global', 'module', 'setTimeout', 'clearTimeout', 'encodeURIComponent'].map((name) => [name, 'readonly'])) },
  plugins: { 'es-x': esx },
  rules: {
    ...js.configs.recommended.rules,
    ...Object.fromEntries(afterEs3.map((rule) => [`es-x/${rule}`, 'error'])),
    'quote-props': ['error', 'as-needed', { keywords: true, unnecessary: false }],
    'comma-dangle': ['error', 'never'],
    'no-multi-str': 'error',
    'no-use-before-define': ['error', { functions: false, variables: false }],
    'no-unused-vars': ['error', { caughtErrors: 'none' }],
    'no-empty': ['error', { allowEmptyCatch: true }],
    'no-control-regex': 'off',
    'no-new-func': 'off',
    'no-useless-escape': 'off',  // old parsers of regular expressions want them
    'es-x/no-nonstandard-array-prototype-properties': 'off',  // of our own making
    'max-len': ['error', 160],
  },
  settings: { 'es-x': { aggressive: true } },
}];
