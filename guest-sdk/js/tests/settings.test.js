import assert from "node:assert/strict";
import test from "node:test";

import {
  choice,
  flag,
  list,
  nonEmpty,
  number,
  object,
  optional,
  text,
  textTemplates,
  url,
} from "../sdk/index.js";
import { parseSettings } from "../sdk/settings.js";

const words = (reader, value) => {
  const json = typeof value === "string" ? value : JSON.stringify(value);
  try {
    parseSettings(reader, json);
  } catch (failure) {
    assert.equal(failure.kind, "invalid-settings");
    return failure.message;
  }
  return "";
};

test("the failing field is named and its value is not", () => {
  const inner = object({ apiKey: text(), pool: optional(nonEmpty()) });
  const reader = object({ inner: list(inner) });
  for (const [settings, expected] of [
    [{ inner: [{ apiKey: 12345 }] }, "inner[0].apiKey: expected a string"],
    [{ inner: [{}] }, "inner[0]: missing field `apiKey`"],
    [{ inner: [{ apiKey: "k", pool: "" }] }, "inner[0].pool: must not be empty"],
    [{ inner: [{ apiKey: "k", pool: null }] }, "inner[0].pool: expected a string"],
    [{ inner: "sk_live" }, "inner: expected a list"],
    [{ inner: [null] }, "inner[0]: expected an object"],
    [{}, "settings: missing field `inner`"],
    ["nonsense", "settings: expected JSON"],
    [{ inner: [{ apiKey: "k", other: 1 }] }, ""],
  ]) {
    assert.equal(words(reader, settings), expected);
  }
});

test("every kind of value refuses the others", () => {
  const reader = object({ on: flag(), retries: number(), region: choice("eu", "us") });
  const good = { on: true, retries: 3, region: "eu" };
  assert.equal(words(reader, good), "");
  assert.equal(words(reader, { ...good, on: "true" }), "on: expected true or false");
  assert.equal(words(reader, { ...good, retries: "3" }), "retries: expected a number");
  assert.equal(words(reader, { ...good, region: "cn" }), "region: expected one of eu, us");
});

test("an address is read as a browser reads it", () => {
  const read = (typed) => parseSettings(url(), JSON.stringify(typed));
  for (const [typed, expected] of [
    ["HTTPS://HOOKS.Example.COM:443/Path/../X", "https://hooks.example.com/X"],
    [" https://x.example/a b?q='ü'#frag\n", "https://x.example/a%20b?q=%27%C3%BC%27"],
    ["https://192.0.2.1/", "https://192.0.2.1/"],
    ["https://MÜNCHEN.example/", "https://xn--mnchen-3ya.example/"],
  ]) {
    assert.equal(read(typed), expected);
  }
});

test("what is no web address is refused", () => {
  for (const typed of [
    "",
    "x.example/hook",
    "ftp://x.example/",
    "unix:/var/run/x.sock",
    "http://unix:/var/run/docker.sock:/x",
    "https://u:p@x.example/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://x.example:99999/",
  ]) {
    assert.notEqual(words(url(), JSON.stringify(typed)), "", typed);
  }
});

test("a template list serves the required usage types", () => {
  const templates = [{ usageType: "SignIn", content: "{{code}}" }];
  const missing = "templates: no template for Register, ForgotPassword, Generic";
  assert.equal(words(object({ templates: textTemplates() }), { templates }), missing);
});
