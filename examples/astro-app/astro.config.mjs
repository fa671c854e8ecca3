// The Astro project: rendered on demand by Node, credentials read when it starts.
import node from '@astrojs/node';
import { defineConfig, envField } from 'astro/config';

const secret = envField.string({ context: 'server', access: 'secret' });

export default defineConfig({
  output: 'server',
  adapter: node({ mode: 'standalone' }),
  env: {
    schema: {
      SCALEKIT_ENVIRONMENT_URL: secret,
      SCALEKIT_CLIENT_ID: secret,
      SCALEKIT_CLIENT_SECRET: secret,
      // Where this application itself listens; in production it is another address.
      SCALEKIT_REDIRECT_URI: envField.string({
        context: 'server',
        access: 'secret',
        default: 'http://localhost:4321/api/auth/callback',
      }),
    },
    validateSecrets: true,
  },
  security: {
    // The Node adapter believes only the Host headers that are listed here; for any
    // other it forgets the port, and the address to return to after sign-out is wrong.
    // In production: your own host name.
    allowedDomains: [{ hostname: 'localhost' }],
  },
});
