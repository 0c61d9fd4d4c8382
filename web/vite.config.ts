// The page of `rectiflow watch`.
import { type UserConfig, defineConfig } from 'vite';
import { pageBuild } from './page-build.ts';

const config: UserConfig = defineConfig(pageBuild('watch', 'page'));

export default config;
