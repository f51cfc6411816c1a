import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { embedJson, escapeHtml, html } from "./html.ts";

test("a template escapes its values and keeps nested html", () => {
  const inner = html`<b>${"<&>"}</b>`;
  assert.equal(
    html`<p title="${`"'`}">${inner}${[1, "&"]}${undefined}</p>`.text,
    '<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b>1&amp;</p>',
  );
});

test("escaped text holds nothing that could open a tag, end an attribute or steer a terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeHtml(text);
      assert.doesNotMatch(escaped, /[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must be gone.
      assert.doesNotMatch(escaped, /[\u0000-\u0008\u001b\u007f]/);
    }),
  );
});

test("embedded JSON reads back as it was and cannot close its element", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const { text } = embedJson(value);
      assert.doesNotMatch(text, /<|\u2028|\u2029/);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
  assert.equal(embedJson("</script><!--").text, '"\\u003c/script>\\u003c!--"');
});
