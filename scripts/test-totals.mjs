// Prints the closing line of CI from vitest's JSON report: `N passed, N failed`, and `, N skipped` where there are any.
// Usage: node scripts/test-totals.mjs REPORT FAILED_STEPS; a failed step outside the tests counts as one failure.
import { readFileSync } from 'node:fs';

const [report, failedSteps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;
try {
  const json = JSON.parse(readFileSync(report, 'utf8'));
  passed = json.numPassedTests;
  failed = json.numFailedTests;
  skipped = json.numPendingTests + json.numTodoTests;
  // A file that does not load has no tests to fail.
  for (const file of json.testResults) {
    if (file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed')) failed++;
  }
} catch (error) {
  console.error(`no test report: ${error.message}`);
}
if (failed === 0 && failedSteps !== '0') failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
