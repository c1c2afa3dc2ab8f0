import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const said = 'Words stand in src/words: say("some.id").';
const raw = 'What is shown is text, never HTML.';

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'src/made', 'build', 'eslint.config.js'] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    files: ['**/*.{ts,tsx}'],
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A loader of the router says by it that one is sent elsewhere.
      '@typescript-eslint/only-throw-error': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: raw },
        { selector: 'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc)$/]', message: raw },
        { selector: 'CallExpression[callee.property.name=/^(write|writeln|parseFromString|createContextualFragment)$/]', message: raw },
        { selector: 'JSXText[value=/[^\\s·\\/.,:=()–—+…]/]', message: said },
        { selector: 'JSXExpressionContainer > Literal[value=/[a-z]{2}|[\\u4e00-\\u9fff]/i]', message: said },
        {
          selector: 'JSXAttribute[name.name=/^(title|alt|placeholder|label|aria-label|aria-description)$/] > Literal',
          message: said,
        },
        {
          selector: 'JSXOpeningElement[name.name="a"] > JSXAttribute[name.name="href"] > JSXExpressionContainer:not(:has(CallExpression[callee.name="safeLink"]))',
          message: 'A place of the console is a <Link>; what data names goes through safeLink().',
        },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'fetch', message: 'Ask the server through src/api/client.ts.' },
        { name: 'alert', message: 'Use a dialog.' },
        { name: 'confirm', message: 'Use a dialog.' },
        { name: 'crypto', message: 'Plain HTTP has no randomUUID: src/api/client.ts makes keys.' },
      ],
    },
  },
  { files: ['e2e/**', 'src/api/client.ts', '**/*.test.{ts,tsx}'], rules: { 'no-restricted-globals': 'off' } },
);
