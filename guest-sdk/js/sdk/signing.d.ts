/** How a key signs: HMAC, or RSA PKCS #1 v1.5, where the secret is a private key in PEM. */
export type Algorithm = "hmac-sha1" | "hmac-sha256" | "rsa-sha256";

/**
 * A key made of a secret that the connector never sees. It derives or signs, never both; a send has 16
 * derivations and signatures. Where the host does not sign, its methods throw a `Failure` with the contract's
 * code: `denied`, `invalid-key`, `limit` or `not-supported`.
 */
export class Key {
  private constructor();
  /** The key prefix + secret + suffix; `secret` is a setting of the connector's, as it is. */
  static fromSecret(
    secret: string,
    around?: { prefix?: string | undefined; suffix?: string | undefined },
  ): Key;
  /** HMAC-SHA-256 of the data under this key, as a new key. */
  derive(data: string | Uint8Array): Key;
  /** The signature's bytes. */
  sign(algorithm: Algorithm, data: string | Uint8Array): Uint8Array;
}
