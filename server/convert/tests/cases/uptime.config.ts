import { MaintenanceConfig, PageConfig, WorkerConfig } from './types/config'
const defaults = { timeout: 5_000, headers: { 'User-Agent': 'Uptimeflare', Authorization: `Bearer ${process.env.TOKEN}` } }
const pageConfig: PageConfig = {
  title: "A page",
  links: [{ link: 'https://example.com/', label: 'Home', highlight: true }],
  group: { 'Public': ['web', 'tcp'] },
}
const workerConfig: WorkerConfig = {
  kvWriteCooldownMinutes: 3,
  monitors: [
    { ...defaults, id: 'web', name: 'Web', method: 'GET', target: 'https://example.com', expectedCodes: [200, 301], responseKeyword: 'ok [1]', checkProxy: 'worker://weur' },
    { id: 'api', name: 'API', method: 'POST', target: `https://api.example.com/${'x'}`, body: JSON.stringify({ a: 1 }), tooltip: 'x' },
    { id: 'post', name: 'Post', method: 'POST', target: 'https://example.com/p', body: '{"a":1}', responseForbiddenKeyword: 'bad', timeout: 60 * 1000 },
    { id: 'tcp', name: 'TCP', method: 'TCP_PING', target: 'db.example.com:5432', tooltip: 'x', unknownKey: 1 },
  ],
  notification: {
    webhook: { url: 'https://api.telegram.org/bot123:s3cret/sendMessage', payloadType: 'json', payload: { chat_id: 5, text: '$MSG' } },
    timeZone: 'Asia/Shanghai', gracePeriod: 5, skipNotificationIds: ['tcp'],
  },
  callbacks: { onStatusChange: async (env: any, monitor: any) => { await fetch('https://example.com') } },
}
const maintenances: MaintenanceConfig[] = [
  { monitors: ['web'], title: 'Upgrade', body: 'text', start: '2026-12-01T00:00:00Z', end: 1796090400000 },
  { body: 'no end', start: '2026-12-01T00:00:00Z' },
]
export { maintenances, pageConfig, workerConfig }
