import type { HttpRequest } from "./index.js";

/** An access key, as the settings hold it. */
export interface AccessKey {
  id: string;
  /**
   * A placeholder, in a component. `secretGrants` must ask to sign with it, and the settings schema must
   * say `"x-derivations": 4`.
   */
  secret: string;
}

/** What a signature is valid for, besides its day. */
export interface Scope {
  /** Such as `eu-central-1`. */
  region: string;
  /** Such as `ses`. */
  service: string;
}

/**
 * Signs the whole request with AWS Signature Version 4, its headers and query included: adds `x-amz-date`,
 * `x-amz-content-sha256` and `authorization`, and puts the URL into the form that is signed. Nothing in the
 * request may be a placeholder: the host fills it in later. `now` counts milliseconds since the Unix epoch.
 * Throws a `Failure` where the host does not sign with the secret.
 */
export function sigv4(
  request: HttpRequest,
  accessKey: AccessKey,
  scope: Scope,
  now?: number,
): Promise<HttpRequest>;
