/** What one thread did, or holds. */
export interface Profiled<Profile> {
  /** "main", "worker 1". */
  readonly thread: string;
  readonly profile: Profile;
}
