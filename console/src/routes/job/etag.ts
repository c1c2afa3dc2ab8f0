/** The mark of a version, by which a change says what it changes. */
export const etag = (version: number) => `"v${version}"`;
