import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthenticationForm } from "./authentication-form.ts";

test("MQTT 5 begins with the method, 3.1.1 has the Password", () => {
  assert.equal(new AuthenticationForm(5).name, "method");
  assert.equal(new AuthenticationForm(4).name, "password");
});

test("0x8C settles on the Password, at once and for good", () => {
  const form = new AuthenticationForm(5);

  const isWorthAnother = form.refused(0x8c);
  const afterwards = [form.refused(0x87), form.refused(0x8c)];

  assert.equal(isWorthAnother, true);
  assert.deepEqual(afterwards, [false, false]);
  assert.equal(form.name, "password");
});

test("0x8C after the method was accepted settles on the Password as well: the bridge was replaced by an older one", () => {
  const form = new AuthenticationForm(5);
  form.accepted(0);

  assert.equal(form.refused(0x8c), true);
  assert.equal(form.name, "password");
});

test("until a form was accepted 0x87 tries the other, at once only the first time", () => {
  const form = new AuthenticationForm(5);
  const tries: [string, boolean][] = [];

  for (let i = 0; i < 4; i++) {
    const isWorthAnother = form.refused(0x87);
    tries.push([form.name, isWorthAnother]);
  }

  assert.deepEqual(tries, [
    ["password", true],
    ["method", false],
    ["password", false],
    ["method", false],
  ]);
});

test("once accepted, 0x87 is about the token and changes nothing", () => {
  const form = new AuthenticationForm(5);
  form.accepted(0);

  assert.equal(form.refused(0x87), false);
  assert.equal(form.name, "method");
});

test("a bridge that is busy says nothing about the form", () => {
  const form = new AuthenticationForm(5);

  assert.equal(form.refused(0x89), false);
  assert.equal(form.name, "method");
});
