import { mount } from 'svelte';
import '../parts/base.css';
import App from './App.svelte';
import { takeToken } from './data/client.ts';
import { startRouter } from './router.svelte.ts';

takeToken();
startRouter();
mount(App, { target: document.getElementById('page')! });
