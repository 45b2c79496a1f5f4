// Keys made of secrets that the connector never sees: the host signs with them. A module of its own, outside
// index.js: a connector that imports it asks for the host's `signing` interface, and no other connector does.

import { Key as HostKey } from "sendbox:connector/signing@0.1.0";

import { Failure } from "./failure.js";

const ENCODER = new TextEncoder();

/** A key made of a secret. It derives or signs, never both; a send has 16 of either. */
export class Key {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  /** The key prefix + secret + suffix; `secret` is a setting of the connector's, as it is. */
  static fromSecret(secret, { prefix = "", suffix = "" } = {}) {
    return new Key(asked(() => HostKey.fromSecret(prefix, secret, suffix)));
  }

  /** HMAC-SHA-256 of the data under this key, as a new key. */
  derive(data) {
    return new Key(asked(() => this.#handle.derive(bytesOf(data))));
  }

  /** The signature's bytes. */
  sign(algorithm, data) {
    return asked(() => this.#handle.sign(algorithm, bytesOf(data)));
  }
}

function bytesOf(data) {
  return typeof data === "string" ? ENCODER.encode(data) : data;
}

/** What the host answers; throws a `Failure` where it does not sign. */
function asked(question) {
  try {
    return question();
  } catch (error) {
    const { tag, val } = error.payload ?? {};
    if (!tag) throw error;
    const words = val ?? SIGNING_ERRORS[tag] ?? "the host did not sign";
    throw new Failure("invalid-settings", words, { code: tag });
  }
}

/** What each error of the host's `signing` says, where it brings no words. */
const SIGNING_ERRORS = {
  "not-supported": "this host does not sign",
  denied:
    "the host does not sign with this secret so: `secretGrants` ask to sign with it, and its " +
    "`x-derivations` in the settings schema say how often a key of it is derived before it signs",
  limit: "more than 16 signatures and derivations in one send",
};
