import { defineProject } from 'vitest/config';

export default defineProject({
  ssr: { resolve: { conditions: ['@qanat/source'], externalConditions: ['@qanat/source'] } },
  test: { name: '@qanat/tcp', include: ['test/**/*.test.ts'], testTimeout: 30_000 },
});
