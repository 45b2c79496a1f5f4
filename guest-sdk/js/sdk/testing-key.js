// The host's `signing` interface as the test kit has it. What a send may sign with, and how often, is in
// `globalThis.standInForSigning`: `send` of testing.js puts it there.

import { createHmac, createPrivateKey, createSign } from "node:crypto";

/** Of the host's errors, thrown as the engine throws them. */
function refusal(tag, val) {
  return Object.assign(new Error(tag), { payload: { tag, val } });
}

/** One of the send's signatures and derivations. */
function spend() {
  const send = globalThis.standInForSigning;
  if (send.left === 0) throw refusal("limit");
  send.left -= 1;
}

/** A key that derives or signs, never both. */
export class Key {
  #bytes;
  #use;

  static fromSecret(prefix, secret, suffix) {
    const send = globalThis.standInForSigning;
    if (!send) throw new Error("keys are made inside a send only");
    if (!send.secrets.includes(secret)) throw refusal("denied");
    return Key.#of(Buffer.from(prefix + secret + suffix));
  }

  static #of(bytes) {
    const key = new Key();
    key.#bytes = bytes;
    return key;
  }

  derive(data) {
    this.#usedTo("derive");
    return Key.#of(this.#hmac("sha256", data));
  }

  sign(algorithm, data) {
    this.#usedTo("sign");
    if (algorithm === "rsa-sha256") return new Uint8Array(this.#rsa(data));
    return new Uint8Array(this.#hmac(algorithm.slice("hmac-".length), data));
  }

  #usedTo(use) {
    spend();
    this.#use ??= use;
    if (this.#use !== use) throw refusal("denied");
  }

  #hmac(hash, data) {
    return createHmac(hash, this.#bytes).update(data).digest();
  }

  #rsa(data) {
    try {
      const key = createPrivateKey(this.#bytes);
      if (key.asymmetricKeyType === "rsa") return createSign("sha256").update(data).sign(key);
    } catch {
      // Refused below.
    }
    throw refusal("invalid-key", "no RSA private key in PEM (PKCS #8 or PKCS #1)");
  }
}
