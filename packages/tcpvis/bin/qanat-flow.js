#!/usr/bin/env node
// Stands here so that the link to it can be made before the first build.
import '../dist/cli.js';
