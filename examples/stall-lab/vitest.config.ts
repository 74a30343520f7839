import { defineProject } from 'vitest/config';

export default defineProject({
  ssr: { resolve: { conditions: ['@qanat/source'], externalConditions: ['@qanat/source'] } },
  // Whole machines run here: some hundred milliseconds each, seconds where the computer is busy.
  test: { name: '@qanat/stall-lab', include: ['test/**/*.test.ts'], testTimeout: 60_000 },
});
