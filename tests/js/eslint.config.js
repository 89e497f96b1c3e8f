import js from "@eslint/js";

export default [
  js.configs.recommended,
  {
    files: ["**/*.js"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "no-undef": "off", // tsc finds these, and knows the browser's names
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" }],
      "no-empty": ["error", { allowEmptyCatch: false }],
      "prefer-const": "error",
      "no-var": "error",
      eqeqeq: "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      // A prompt must never be read as HTML.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Use textContent or h()." },
        { property: "outerHTML", message: "Use textContent or h()." },
        { property: "insertAdjacentHTML", message: "Use textContent or h()." },
      ],
      "no-restricted-globals": ["error", { name: "alert" }, { name: "confirm" }],
    },
  },
  // The common code stands before each part's own: what it defines is used there.
  {
    files: ["**/static/common.js"],
    languageOptions: { sourceType: "script" },
    rules: { "no-unused-vars": ["error", { vars: "local" }] },
  },
];
