/** `npm run build`: the release as tarballs in `.build/tarballs`. */
import { join, relative } from "node:path";
import { ROOT } from "../program.ts";
import { buildRelease, packRelease } from "./build.ts";

const packages = await buildRelease(join(ROOT, ".build/release"));
const tarballs = await packRelease(packages, join(ROOT, ".build/tarballs"));
for (const tarball of tarballs) console.log(relative(ROOT, tarball));
