// The page of a model that `rectiflow share` writes.
import { type UserConfig, defineConfig } from 'vite';
import { pageBuild } from './page-build.ts';

const config: UserConfig = defineConfig(pageBuild('share', 'page/share'));

export default config;
