import { defineProject } from 'vitest/config';

export default defineProject({
  ssr: { resolve: { conditions: ['@qanat/source'], externalConditions: ['@qanat/source'] } },
  test: { name: '@qanat/packetdrill', include: ['test/**/*.test.ts'] },
});
