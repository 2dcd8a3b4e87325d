import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJunit, type TestCase } from "../../scripts/testing/junit.ts";

describe("parseJunit", () => {
  const reports: readonly [what: string, xml: string, cases: readonly TestCase[]][] = [
    [
      "nested suites as Bun writes them, without the suite of the file",
      `<testsuites name="bun test"><testsuite name="x_test.ts"><testsuite name="a &lt;b&gt;">
       <testcase name="c &quot;d&quot;" classname="a" /></testsuite><testcase name="e" />
       </testsuite></testsuites>`,
      [{ name: 'a <b> > c "d"', outcome: "passed" }, { name: "e", outcome: "passed" }],
    ],
    [
      "flat suites as Deno writes them, without the suites among the tests",
      `<testsuites name="deno test"><testsuite name="./x_test.ts"><testcase name="a">
       <failure message="1 test step failed">1 test step failed.</failure></testcase></testsuite>
       <testsuite name="ext:deno_node/testing.ts"><testcase name="a &gt; b"></testcase>
       <testcase name="a &gt; c"><failure message="no">a &lt;b/&gt;</failure></testcase>
       </testsuite></testsuites>`,
      [{ name: "a > b", outcome: "passed" }, { name: "a > c", outcome: "failed" }],
    ],
    [
      "a suite of Deno that failed though its tests did not",
      `<testsuites name="deno test"><testsuite name="./x_test.ts"><testcase name="a">
       <failure message="thrown in a hook">no</failure></testcase></testsuite>
       <testsuite name="ext:deno_node/testing.ts"><testcase name="a &gt; b"></testcase>
       </testsuite></testsuites>`,
      [{ name: "a", outcome: "failed" }, { name: "a > b", outcome: "passed" }],
    ],
    [
      "tests that were skipped, are still to do, or were cut off",
      `<testsuites name="bun test"><testsuite name="x_test.ts">
       <testcase name="a"><skipped /></testcase>
       <testcase name="b"><skipped message="TODO" /></testcase>
       <testcase name="c"><error message="Cancelled"/></testcase></testsuite></testsuites>`,
      [
        { name: "a", outcome: "skipped" },
        { name: "b", outcome: "skipped" },
        { name: "c", outcome: "failed" },
      ],
    ],
    ["a report of no tests", '<?xml version="1.0"?><testsuites></testsuites>', []],
  ];
  for (const [what, xml, cases] of reports) {
    test(`reads ${what}`, () => assert.deepEqual(parseJunit(xml), cases));
  }
});
