import { defineProject } from 'vitest/config';

export default defineProject({
  ssr: { resolve: { conditions: ['@qanat/source'], externalConditions: ['@qanat/source'] } },
  test: { name: '@qanat/tcpvis', include: ['test/**/*.test.ts'] },
});
