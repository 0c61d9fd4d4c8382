/** Which workgroup this is, where they have several axes because there are so many. */
export const workgroups: readonly string[] = [
  `fn groupIndex(group: vec3u, groups: vec3u) -> u32 { return group.y * groups.x + group.x; }`,
];
