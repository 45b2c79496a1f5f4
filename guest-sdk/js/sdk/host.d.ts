// The host's interfaces that a connector may import itself, in the names that the engine gives them. A
// function of theirs throws an error whose `payload` is the contract's.

declare module "sendbox:connector/log@0.1.0" {
  /** A line for the tenant's timeline; secrets are redacted. */
  export function log(level: "debug" | "info" | "warn" | "error", text: string): void;
}

declare module "sendbox:connector/signing@0.1.0" {
  /** A key made of a secret that the connector never sees. It derives or signs, never both. */
  export class Key {
    /** The key prefix + secret + suffix; `secret` is a placeholder from the settings. */
    static fromSecret(prefix: string, secret: string, suffix: string): Key;
    /** HMAC-SHA-256 of the data under this key, as a new key. */
    derive(data: Uint8Array): Key;
    /** The signature's bytes. */
    sign(algorithm: "hmac-sha1" | "hmac-sha256" | "rsa-sha256", data: Uint8Array): Uint8Array;
  }
}
