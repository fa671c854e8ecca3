// What no call can make yet, put into the database itself: passkeys, which people register
// on a page to come, and the people of a directory, which a company provisions.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);
const now = () => BigInt(Date.now()) * 1000n;

/** Gives `count` new people a passkey each: `[{userId, id, credentialId}]`, the last in hexadecimal. */
export async function insertPasskeys(genkan, count) {
  const passkeys = [];
  for (let index = 0; index < count; index++) {
    const { id: userId } = await genkan.cli('user', 'create', '--email', `passkey-${index}@people.test`);
    const passkey = { userId, id: userId.replace('usr_', 'cred_'), credentialId: randomBytes(32).toString('hex') };
    await insert(genkan, 'webauthn_credentials', {
      id: passkey.id, user_id: userId, credential_id: Buffer.from(passkey.credentialId, 'hex'), public_key: Buffer.from([0xa0]),
      sign_count: 0, attestation_type: 'none', aaguid: '00000000-0000-0000-0000-000000000000', attachment: 'platform',
      transports: '["internal"]', user_present: true, user_verified: true, backup_eligible: false, backup_state: false,
      created_at: now(), updated_at: now(),
    });
    passkeys.push(passkey);
  }
  return passkeys;
}

/** A directory with Ada, Grace and a group that only Ada is in. */
export async function insertDirectory(genkan) {
  const { id: organizationId } = await genkan.cli('org', 'create', '--name', 'Provisioned');
  const number = BigInt(organizationId.slice('org_'.length));
  const id = (prefix, offset) => `${prefix}_${number + BigInt(offset)}`;
  const times = { created_at: now(), updated_at: now() };
  const directoryId = id('dir', 0);
  await insert(genkan, 'directories', {
    id: directoryId, organization_id: organizationId, name: 'People', kind: 'SCIM', provider: 'OKTA', status: 'COMPLETED',
    enabled: true, attribute_mapping: '[]', context: '{}', ...times,
  });
  const people = [['ada', 'Ada', 'Lovelace'], ['grace', 'Grace', 'Hopper']];
  for (const [offset, [name, given, family]] of people.entries()) {
    const email = `${name}@provisioned.test`;
    await insert(genkan, 'directory_users', {
      id: id('diruser', offset), directory_id: directoryId, user_name: email, user_name_key: email, email,
      emails: JSON.stringify([email]), given_name: given, family_name: family, active: true,
      detail: JSON.stringify({ userName: email, title: 'Engineer' }), ...times,
    });
  }
  await insert(genkan, 'directory_groups', {
    id: id('dirgroup', 0), directory_id: directoryId, display_name: 'Engines', detail: '{"displayName":"Engines"}', ...times,
  });
  await insert(genkan, 'directory_group_members', { group_id: id('dirgroup', 0), user_id: id('diruser', 0) });
  return { organizationId, directoryId, groupId: id('dirgroup', 0), emails: people.map(([name]) => `${name}@provisioned.test`) };
}

function insert(genkan, table, row) {
  const literal = (value) => {
    if (Buffer.isBuffer(value)) return genkan.database ? `'\\x${value.toString('hex')}'::bytea` : `x'${value.toString('hex')}'`;
    return typeof value === 'string' ? `'${value}'` : String(value).toUpperCase();
  };
  return execute(genkan, `INSERT INTO ${table} (${Object.keys(row)}) VALUES (${Object.values(row).map(literal)})`);
}

function execute({ database, dataDir }, statement) {
  if (database) return run('psql', ['-qX', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', statement]);
  const program = 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1], timeout=10); db.execute(sys.argv[2]); db.commit()';
  return run(process.env.PYTHON ?? 'python3', ['-c', program, `${dataDir}/genkan.db`, statement]);
}
