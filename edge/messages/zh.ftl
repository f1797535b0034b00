## Numbers and units

decimal-separator = .
unit-s = 秒
unit-min = 分钟
unit-h = 小时
unit-d = 天

## Around every page

skip-link = 跳到主要内容
feed-title = 故障与维护
calendar = 日历
links = 链接
subscribe = 订阅更新
view-json = 以 JSON 查看
language = 语言
theme-auto = 跟随系统主题
theme-light = 浅色主题
theme-dark = 深色主题
push-enable = 开启通知
push-disable = 关闭通知
push-failed = 此浏览器不支持通知
push-enabled = 已在此浏览器中开启通知
uptime-note = 可用率是监控时间中服务正常或性能下降（仍可用）的比例，不含无数据的时间；每个数值旁标有该时段中受监控的比例。

## The headline

headline-empty = 尚未配置任何服务
headline-up = { $total ->
    [1] { $name } 运行正常
   *[other] 所有系统运行正常
}
headline-down = { $name } 服务中断
headline-partial-outage = 部分中断：{ $total } 项服务中有 { $count } 项中断
headline-major-outage = 严重中断：全部 { $total } 项服务中断
headline-degraded = 性能下降：{ $name }
headline-degraded-some = 性能下降：{ $total } 项服务中的 { $count } 项
headline-degraded-all = 性能下降：全部 { $total } 项服务
headline-starting = { $name } 正在启动
headline-starting-some = { $total } 项服务中有 { $count } 项正在启动
headline-starting-all = 全部 { $total } 项服务正在启动
headline-maintenance = { $name } 维护中
headline-maintenance-some = { $total } 项服务中有 { $count } 项维护中
headline-maintenance-all = 全部 { $total } 项服务维护中
headline-waiting = 等待首次检查
headline-interrupted = 监控中断：自 { $time } 起无数据
headline-no-data-some = { $total } 项服务中有 { $count } 项运行正常，其余无数据
headline-unavailable = 暂时无法获取状态
headline-not-found = 未找到页面
not-found-help = 此地址没有页面。该服务或事件可能已被移除。

## The page of the owner

headline-owner = 告警渠道
owner-help = 供本页面的所有者查看：各告警渠道是否接受告警。
owner-needs-script = 此页面需要 JavaScript。API 提供相同内容：GET /api/v1/admin/channels。
owner-token = 管理令牌（ADMIN_TOKEN）
owner-show = 显示
owner-refused = 令牌不正确。
owner-channels = 渠道
owner-none = 未配置告警渠道。
owner-working = 无失败
owner-failing = 失败
owner-refusing = 拒绝告警
owner-unusable = 无法使用
owner-since = 始于
owner-waiting = 等待中的告警
owner-next = 下次尝试
owner-test = 向每个渠道发送测试消息
owner-tested = 测试消息
owner-problems = 设置中的问题
status-page-link = 前往状态页
since = 自 { $time }
since-for = 自 { $time }（{ $duration }）。
last-check = 上次检查：{ $time }。
first-check = 首次检查将在一分钟内进行。
history-unavailable = 监控仍在继续，请稍后刷新页面。
stale = 当前状态暂时无法获取。这是 { $duration }前的状态。

## The status page

active-incidents = 当前故障
scheduled-maintenance = 计划维护
past-incidents = 历史故障
services = 服务
filter-services = 按名称筛选
empty-title = 添加第一个服务
empty-help = 在 wrangler.toml 中添加服务并重新部署：
status = 状态
state-up = 正常
state-degraded = 性能下降
state-down = 严重中断
day-down = 中断
state-waking = 启动中
state-maintenance = 维护中
state-unobserved = 无数据
bars-label = 最近 90 天：{ $good } 天无故障，{ $trouble } 天有故障，{ $unobserved } 天无数据
ninety-days-ago = 90 天前
today = 今天
no-data = 无数据
monitored = 监控覆盖 { $percent }
monitored-since = 自 { $time } 起监控覆盖 { $percent }
uptime = 可用率
coverage = 监控覆盖
latency = 响应时间
memory = 内存
running-for = 已运行
of-limit = 上限 { $limit } MB
restart-count = 重启 { $count } 次

## Incidents

severity-warning = 警告
severity-degraded = 性能下降
severity-crashed = 崩溃
severity-down = 中断
investigating = 调查中
acknowledged = 处理中
resolved = 已解决
caused-by = 由 { $monitor } 引起
evidence = 依据
timeline = 时间线
memory-around = 故障前后的内存
incidents = 故障
no-incidents = 没有故障记录。

## The page of a service

restart = 重启
restarts-in-chart = 图中的重启
probably = 可能：{ $exit }
last-exit = 上次退出（{ $time }）：{ $exit }
evidence-and = { $before }；{ $next }
sentence = { $text }。
exit-stop = 按请求停止
exit-deploy = 被其他版本替换
exit-recycle = 由 heapbeat 替换
exit-oom-kill = 内存不足：被内核终止 (OOM)
exit-out-of-memory = 内存不足：被其运行时终止
exit-panic = panic
exit-crash = 崩溃
exit-hang = 无响应，已停止
exit-platform = 随主机消失
exit-finish = 自行结束
exit-spin-down = 空闲时休眠
exit-unknown = 原因不明
forecast = 内存每小时增长 { $rate } MB，预计于 { $time } 达到上限（{ $earliest } 至 { $latest } 之间）。
version-comparison = 启动后 { $age }，本版本使用 { $now } MB，上一版本使用 { $before } MB。
top-route = 增长主要来自：{ $route }。
requests = 请求
requests-now = 处理中：{ $now }，等待中：{ $waiting }，失败：{ $failed }。
route = 路由
mean-time = 平均时间
incident-days = 有故障的日期
days-table = 以表格查看所有日期
day = 日期
time-range = 时间范围
time-utc = 时间 (UTC)
data-table = 以表格查看数据
rss = 常驻内存
heap-used = 已用堆
heap-used-note = 程序持有
heap-total = 堆总量
heap-total-note = 为其分配的页
external = 堆外
external-note = 堆以外的内存
pressure = 内存压力
pressure-calm = 正常
pressure-alert = 偏高
pressure-purge = 高
pressure-recycle = 很高
pressure-shed = 严重
memory-caption = 内存（MB）
minimum = 最小值
median = 中位数
percentile-95 = 第 95 百分位
latency-caption = 响应时间（毫秒）
regions = 各地区状态
region-wnam = 北美西部
region-enam = 北美东部
region-sam = 南美洲
region-weur = 西欧
region-eeur = 东欧
region-apac = 亚太地区
region-oc = 大洋洲
region-afr = 非洲
region-me = 中东

## Why a check failed

statement-dns-failed = DNS 解析失败
statement-connection-refused = 连接被拒绝
statement-network-unreachable = 网络不可达
statement-tls-failed = TLS 连接失败
statement-connect-timeout = 连接超时
statement-response-timeout = 响应超时
statement-body-timeout = 响应完成前超时
statement-connection-lost = 响应完成前连接中断
statement-not-http = 响应不是 HTTP
statement-redirect-loop = 重定向循环
statement-too-many-redirects = 重定向次数过多
statement-invalid-redirect = 重定向目标不是 http 或 https 地址
statement-private-address = 地址为私有地址
statement-http-status = HTTP 状态码 { $status }
statement-not-json = 响应不是 JSON
statement-not-health = 响应是 JSON，但不是健康报告
statement-response-too-large = 响应过大
statement-body-undecodable = 响应以 { $encoding } 编码，无法解码
statement-body-encoding-unknown = 无法解码响应的编码
statement-body-charset-unknown = 无法解码响应的字符集
statement-response-slow = 响应耗时 { $duration_ms } 毫秒
statement-condition-failed = 条件不满足：{ $condition }
statement-connection-failed = 连接失败
statement-signature-rejected = 服务器拒绝签名：密钥错误，或时钟相差超过 { $clock_tolerance_s } 秒
statement-response-unsigned = 响应未签名：来自缓存，或不是来自服务器
statement-response-signature-invalid = 响应签名无效：响应过期或被修改，或密钥错误
statement-report-unreadable = 此版本无法读取已签名的报告
statement-heartbeat-missed = 未及时收到心跳
statement-job-timed-out = 任务未及时完成
statement-job-failed = 任务报告失败
statement-job-exit-code = 任务失败，退出码 { $exit_code }

## Why there is no data

statement-skipped-budget = 未检查：已达到请求上限
statement-skipped-time = 未检查：其他检查耗时过长
statement-skipped-platform = 未检查：检查无法运行
statement-skipped-edge = 无数据：所有检查同时失败，监控中断
statement-skipped-no-heartbeat = 尚未收到心跳
statement-skipped-configuration = 未检查：检查尚未配置完整
statement-skipped-own-zone = 未检查：Cloudflare 立即代替目标返回了 { $status }，如同访问同一账户的区域
statement-skipped-forbidden = 未检查：平台不允许 Worker 连接此地址（属于 Cloudflare 或为私有地址）
statement-no-recent-data = 无近期数据
statement-under-maintenance = 计划维护进行中
statement-flapping = 不稳定：状态反复变化

## What caused an incident

statement-cause-unknown = 原因不明
statement-memory-growing = 内存正向上限增长
statement-memory-high = 内存接近上限
statement-out-of-memory = 内存不足
statement-instance-stop = 实例按请求停止
statement-instance-deploy = 实例被其他版本替换
statement-instance-recycle = 实例由 heapbeat 替换
statement-instance-oom-kill = 实例内存不足，被内核终止 (OOM)
statement-instance-out-of-memory = 实例内存不足，被其运行时终止
statement-instance-panic = 实例发生 panic
statement-instance-crash = 实例崩溃
statement-instance-hang = 实例无响应，已停止
statement-instance-platform = 实例随主机消失
statement-instance-finish = 实例自行结束
statement-instance-spin-down = 实例空闲时休眠
statement-instance-unknown = 实例退出，原因不明

## What happened during an incident

statement-instance-started = 实例已启动
statement-pressure-changed = 内存压力由 { $from_pressure } 变为 { $to_pressure }（{ $memory_bytes }）
statement-purged = 清理使内存由 { $before_bytes } 降至 { $after_bytes }，耗时 { $duration_ms } 毫秒
statement-replacement-requested = 守护程序请求新的工作进程：{ $reason }
statement-shut-down = 守护程序关闭了实例
statement-requests-rejected = { $duration_s } 秒内拒绝了 { $count } 个请求
statement-request-panicked = 某个请求发生 panic：{ $message }
statement-limit-changed = 内存上限由 { $before_bytes } 改为 { $after_bytes }
statement-function-growing = { $function } 持有的内存在 { $duration_s } 秒内增加了 { $growth_bytes }
statement-unknown-event = 来自更新版本 heapbeat 的事件
statement-stop-requested = { $by } 请求停止
statement-recurred = 问题再次出现
statement-recovered = 所有检查恢复正常
statement-improved-to-degraded = 好转：性能下降
statement-improved-to-warning = 好转：所有检查正常，但内存即将耗尽
statement-other-instance = 另一个实例作出响应
statement-note = 备注：{ $note }
statement-acknowledged = 已有人处理
statement-resolved = 已手动解决
statement-maintenance-began = 计划维护开始
statement-monitor-removed = 服务已从配置中移除
statement-incident-superseded = 由后续事件继续
statement-job-rescheduled = 任务是新添加的或已更改计划，此后尚未报告
statement-limit-forecast = 内存预计在 { $earliest } 至 { $latest } 之间达到 { $limit_bytes }

## Evidence of how an instance exited

statement-exited-with-code = 以退出码 { $exit_code } 结束
statement-killed-by-signal = 被 { $signal } 终止
statement-memory-when-last-seen = 最后一次测量时内存为上限的 { $percent }%
statement-unresponsive = 没有活动迹象，因此被终止
statement-panic-recorded = 记录到 panic：{ $message }
statement-cgroup-oom-count = 控制组的 OOM 计数增加了 { $count }
statement-machine-oom-count = 本机的 OOM 计数增加了 { $count }
statement-stop-timed-out = 未及时停止，被强制终止
statement-killed-at-once = 未等待其停止即强制终止
statement-oom-count-unreadable = 此处无法读取 OOM 计数
statement-no-oom-kill = 内核没有 OOM 终止记录
statement-requests-in-flight = 结束时正在处理的请求：{ $requests }
statement-stop-recorded = 记录到停止请求：{ $by }
statement-stopped-early = 在能够记录之前收到停止请求
statement-exit-unexplained = 没有已知的停止请求
statement-exit-unobserved = 没有进程观察到其退出
statement-exit-completed = 记录到正常关闭
statement-host-rebooted = 自最后的活动迹象以来主机已重启
statement-host-not-rebooted = 主机一直在运行
statement-supervisor-stop = 监管进程曾请求停止
statement-supervisor-recycle = 监管进程曾请求为新的实例让位
statement-version-followed = 之后是版本 { $version }
statement-version-changed = 版本 { $from } 之后是 { $to }
statement-guard-replaced = 由守护程序替换：{ $reason }
statement-guard-shut-down = 守护程序因内存不足将其关闭
statement-last-sample = 最后一次测量：{ $memory_bytes }，上限 { $limit_bytes }，内存压力 { $pressure }
statement-no-stop-announced = 没有预先通知停止
statement-hang-report = 无响应前的最后报告：{ $report }
statement-runtime-out-of-memory = 运行时报告：{ $message }
statement-heap-after-last-collection = 最后一次垃圾回收后堆为 { $heap_bytes }
statement-heap-when-last-seen = 最后一次采样时堆为 { $heap_bytes }；运行时的上限为 { $limit_bytes }
statement-heap-limited-by = 堆由 { $setting } 限制
statement-live-memory-grew = 使用中的内存在 { $function } 中增长最多
statement-process-oom-killed = 内存不足，内核终止了其进程 { $pid }（{ $name }）；程序本身仍在运行
statement-process-out-of-memory = 进程 { $pid }（{ $name }）的运行时内存不足并将其终止；程序本身仍在运行

## Notices about the monitoring itself

statement-monitoring-interrupted = 监控自 { $since_time } 起中断：所有检查同时失败，因此不记录结果。
statement-hub-unresponsive = { $count } 项服务无数据：负责检查的 hub 没有响应。
statement-unknown-hub-unresponsive = 部分服务无数据：负责检查的 hub 没有响应。
statement-unwatched-requests = 自 { $since_time } 起 { $count } 项服务无数据：检查所需的请求超过一轮的上限。
statement-unwatched-time = 自 { $since_time } 起 { $count } 项服务无数据：其他检查耗时过长。
statement-unwatched-configuration = 自 { $since_time } 起 { $count } 项服务无数据：检查尚未配置完整。
statement-unwatched-platform = 自 { $since_time } 起 { $count } 项服务无数据：检查无法运行。
statement-unwatched-no-tick = 自 { $since_time } 起 { $count } 项服务无数据：计划的检查没有运行。
statement-interval-raised = 每日配额即将用完：UTC 午夜之前，每项服务最多每 { $minutes } 分钟检查一次。
