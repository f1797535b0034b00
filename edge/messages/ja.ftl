## Numbers and units

decimal-separator = .
unit-s = 秒
unit-min = 分
unit-h = 時間
unit-d = 日

## Around every page

skip-link = 本文へ移動
feed-title = 障害とメンテナンス
calendar = カレンダー
links = リンク
subscribe = 更新情報を購読
view-json = JSON で表示
language = 言語
theme-auto = テーマ：システム
theme-light = テーマ：ライト
theme-dark = テーマ：ダーク
push-enable = 通知を有効にする
push-disable = 通知を無効にする
push-failed = このブラウザーでは通知を利用できません
push-enabled = このブラウザーで通知が有効です
uptime-note = 稼働率は、監視した時間のうちサービスが正常に、またはパフォーマンス低下の状態で稼働していた割合です。データのない時間は除きます。各数値の横に、期間のうち監視した割合を示します。

## The headline

headline-empty = サービスが設定されていません
headline-up = { $total ->
    [1] { $name } は正常に稼働しています
   *[other] すべてのシステムが正常に稼働しています
}
headline-down = { $name } は停止しています
headline-partial-outage = 部分的な障害：{ $total } 件中 { $count } 件のサービスが停止しています
headline-major-outage = 大規模な障害：{ $total } 件すべてのサービスが停止しています
headline-degraded = パフォーマンス低下：{ $name }
headline-degraded-some = パフォーマンス低下：{ $total } 件中 { $count } 件のサービス
headline-degraded-all = パフォーマンス低下：{ $total } 件すべてのサービス
headline-starting = { $name } は起動中です
headline-starting-some = { $total } 件中 { $count } 件のサービスが起動中です
headline-starting-all = { $total } 件すべてのサービスが起動中です
headline-maintenance = { $name } はメンテナンス中です
headline-maintenance-some = { $total } 件中 { $count } 件のサービスがメンテナンス中です
headline-maintenance-all = { $total } 件すべてのサービスがメンテナンス中です
headline-waiting = 最初のチェックを待っています
headline-interrupted = 監視が中断しています：{ $time } 以降のデータがありません
headline-no-data-some = { $total } 件中 { $count } 件のサービスが正常、残りはデータがありません
headline-unavailable = 現在、状態を取得できません
headline-not-found = ページが見つかりません
not-found-help = このアドレスにページはありません。サービスまたは障害が削除された可能性があります。

## The page of the owner

headline-owner = アラートチャンネル
owner-help = このページの所有者向け：各アラートチャンネルがアラートを受け付けているかどうかを表示します。
owner-needs-script = このページには JavaScript が必要です。同じ内容は API からも取得できます：GET /api/v1/admin/channels
owner-token = 管理トークン（ADMIN_TOKEN）
owner-show = 表示
owner-refused = トークンが正しくありません。
owner-channels = チャンネル
owner-none = アラートチャンネルは設定されていません。
owner-working = 失敗なし
owner-failing = 失敗しています
owner-refusing = アラートを拒否しています
owner-unusable = 使用できません
owner-since = 開始：
owner-waiting = 待機中のアラート
owner-next = 次の試行
owner-test = 各チャンネルにテストメッセージを送信
owner-tested = テストメッセージ
owner-problems = 設定の問題
status-page-link = ステータスページへ
since = { $time } から
since-for = { $time } から（{ $duration }）。
last-check = 最終チェック：{ $time }。
first-check = 最初のチェックは 1 分以内に行われます。
history-unavailable = 監視は続いています。しばらくしてからページを再読み込みしてください。
stale = 現在の状態を一時的に取得できません。これは { $duration }前の状態です。

## The status page

active-incidents = 発生中の障害
scheduled-maintenance = 予定されているメンテナンス
past-incidents = 過去の障害
services = サービス
filter-services = 名前で絞り込む
empty-title = 最初のサービスを追加してください
empty-help = wrangler.toml にサービスを追加し、再度デプロイしてください：
status = 状態
state-up = 正常
state-degraded = パフォーマンス低下
state-down = 大規模な障害
day-down = 障害
state-waking = 起動中
state-maintenance = メンテナンス中
state-unobserved = データなし
bars-label = 過去 90 日：障害なし { $good } 日、障害あり { $trouble } 日、データなし { $unobserved } 日
ninety-days-ago = 90 日前
today = 今日
no-data = データなし
monitored = 監視 { $percent }
monitored-since = { $time } から監視 { $percent }
uptime = 稼働率
coverage = 監視率
latency = 応答時間
memory = メモリ
running-for = 稼働時間
of-limit = 上限 { $limit } MB
restart-count = 再起動 { $count } 回

## Incidents

severity-warning = 警告
severity-degraded = パフォーマンス低下
severity-crashed = クラッシュ
severity-down = 停止
investigating = 調査中
acknowledged = 対応中
resolved = 解決済み
caused-by = 原因：{ $monitor }
evidence = 根拠
timeline = 経過
memory-around = 障害前後のメモリ
incidents = 障害
no-incidents = 障害の報告はありません。

## The page of a service

restart = 再起動
restarts-in-chart = このグラフの再起動
probably = おそらく{ $exit }
last-exit = 前回の終了（{ $time }）：{ $exit }
evidence-and = { $before }、{ $next }
sentence = { $text }。
exit-stop = 要求により停止
exit-deploy = 別のバージョンに交代
exit-recycle = heapbeat により交代
exit-oom-kill = メモリ不足：カーネルにより強制終了 (OOM)
exit-out-of-memory = メモリ不足：ランタイムにより終了
exit-panic = パニック
exit-crash = クラッシュ
exit-hang = 応答停止により終了
exit-platform = ホストとともに消失
exit-finish = 自ら終了
exit-spin-down = アイドルのため休止
exit-unknown = 原因不明
forecast = メモリは 1 時間に { $rate } MB 増加しており、{ $time } に上限に達する見込みです（{ $earliest } から { $latest } の間）。
version-comparison = 起動から { $age } の時点で、このバージョンは { $now } MB、前のバージョンは { $before } MB を使用しています。
top-route = 増加の大部分：{ $route }。
requests = リクエスト
requests-now = 処理中：{ $now }、待機中：{ $waiting }、失敗：{ $failed }。
route = ルート
mean-time = 平均時間
incident-days = 障害のあった日
days-table = すべての日を表で表示
day = 日付
time-range = 期間
time-utc = 時刻 (UTC)
data-table = データを表で表示
rss = 常駐
heap-used = 使用ヒープ
heap-used-note = プログラムが保持
heap-total = ヒープ合計
heap-total-note = そのために確保したページ
external = 外部
external-note = ヒープの外
pressure = メモリ圧迫
pressure-calm = 正常
pressure-alert = やや高い
pressure-purge = 高い
pressure-recycle = 非常に高い
pressure-shed = 危険
memory-caption = メモリ（MB）
minimum = 最小
median = 中央値
percentile-95 = 95 パーセンタイル
latency-caption = 応答時間（ミリ秒）
regions = 地域別の状態
region-wnam = 北米西部
region-enam = 北米東部
region-sam = 南米
region-weur = 西ヨーロッパ
region-eeur = 東ヨーロッパ
region-apac = アジア太平洋
region-oc = オセアニア
region-afr = アフリカ
region-me = 中東

## Why a check failed

statement-dns-failed = DNS の名前解決に失敗
statement-connection-refused = 接続が拒否されました
statement-network-unreachable = ネットワークに到達できません
statement-tls-failed = TLS 接続に失敗
statement-connect-timeout = 接続がタイムアウト
statement-response-timeout = 応答がタイムアウト
statement-body-timeout = 応答の完了前にタイムアウト
statement-connection-lost = 応答の完了前に接続が切れました
statement-not-http = 応答が HTTP ではありません
statement-redirect-loop = リダイレクトが循環しています
statement-too-many-redirects = リダイレクトが多すぎます
statement-invalid-redirect = リダイレクト先が http または https のアドレスではありません
statement-private-address = プライベートアドレスです
statement-http-status = HTTP ステータス { $status }
statement-not-json = 応答が JSON ではありません
statement-not-health = 応答は JSON ですが、ヘルスレポートではありません
statement-response-too-large = 応答が大きすぎます
statement-body-undecodable = 応答は { $encoding } でエンコードされており、デコードできません
statement-body-encoding-unknown = 応答のエンコード方式をデコードできません
statement-body-charset-unknown = 応答の文字セットをデコードできません
statement-response-slow = 応答に { $duration_ms } ミリ秒かかりました
statement-condition-failed = 条件を満たしていません：{ $condition }
statement-connection-failed = 接続に失敗
statement-signature-rejected = サーバーが署名を拒否しました：シークレットの誤り、または { $clock_tolerance_s } 秒を超える時計のずれ
statement-response-unsigned = 応答に署名がありません：キャッシュから、またはサーバー以外からの応答です
statement-response-signature-invalid = 応答の署名が無効です：古い、または改変された応答、またはシークレットの誤り
statement-report-unreadable = このバージョンでは読み取れない署名付きレポート
statement-heartbeat-missed = ハートビートが時間内に届きませんでした
statement-job-timed-out = ジョブが時間内に終了しませんでした
statement-job-failed = ジョブが失敗を報告しました
statement-job-exit-code = ジョブが終了コード { $exit_code } で失敗

## Why there is no data

statement-skipped-budget = 未チェック：リクエストの上限に達しました
statement-skipped-time = 未チェック：ほかのチェックに時間がかかりました
statement-skipped-platform = 未チェック：チェックを実行できませんでした
statement-skipped-edge = データなし：すべてのチェックが同時に失敗したため、監視が中断しています
statement-skipped-no-heartbeat = ハートビートをまだ受信していません
statement-skipped-configuration = 未チェック：チェックの設定が完了していません
statement-skipped-own-zone = 未チェック：同じアカウントのゾーンの場合のように、Cloudflare が対象の代わりに直ちに { $status } を返しました
statement-skipped-forbidden = 未チェック：プラットフォームは Worker からこのアドレス（Cloudflare 自身またはプライベート）への接続を許可しません
statement-no-recent-data = 最近のデータがありません
statement-under-maintenance = 予定されたメンテナンスを実施中
statement-flapping = 不安定：状態が繰り返し変化しています

## What caused an incident

statement-cause-unknown = 原因不明
statement-memory-growing = メモリが上限に向かって増加しています
statement-memory-high = メモリが上限に近づいています
statement-out-of-memory = メモリ不足
statement-instance-stop = インスタンスは要求により停止しました
statement-instance-deploy = インスタンスは別のバージョンに交代しました
statement-instance-recycle = インスタンスはheapbeat により交代しました
statement-instance-oom-kill = インスタンスはメモリ不足でカーネルに強制終了されました (OOM)
statement-instance-out-of-memory = インスタンスはメモリ不足でランタイムにより終了しました
statement-instance-panic = インスタンスでパニックが発生しました
statement-instance-crash = インスタンスがクラッシュしました
statement-instance-hang = インスタンスは応答停止により終了しました
statement-instance-platform = インスタンスはホストとともに消失しました
statement-instance-finish = インスタンスは自ら終了しました
statement-instance-spin-down = インスタンスはアイドルのため休止しました
statement-instance-unknown = インスタンスは原因不明で終了しました

## What happened during an incident

statement-instance-started = インスタンスが起動しました
statement-pressure-changed = メモリ圧迫が { $from_pressure } から { $to_pressure } に変化（{ $memory_bytes }）
statement-purged = パージによりメモリが { $before_bytes } から { $after_bytes } に減少（{ $duration_ms } ミリ秒）
statement-replacement-requested = ガードが新しいワーカーを要求しました：{ $reason }
statement-shut-down = ガードがインスタンスを停止しました
statement-requests-rejected = { $duration_s } 秒間に { $count } 件のリクエストを拒否しました
statement-request-panicked = リクエストでパニックが発生しました：{ $message }
statement-limit-changed = メモリ上限を { $before_bytes } から { $after_bytes } に変更
statement-function-growing = { $function } が保持するメモリが { $duration_s } 秒間に { $growth_bytes } 増加
statement-unknown-event = 新しいバージョンの heapbeat のイベント
statement-stop-requested = { $by } により停止を要求
statement-recurred = 問題が再発しました
statement-recovered = すべてのチェックが再び成功しました
statement-improved-to-degraded = 改善：パフォーマンスが低下しています
statement-improved-to-warning = 改善：すべてのチェックは成功していますが、メモリが不足しつつあります
statement-other-instance = 別のインスタンスが応答しています
statement-note = メモ：{ $note }
statement-acknowledged = 対応を開始
statement-resolved = 手動で解決
statement-maintenance-began = 予定されたメンテナンスを開始
statement-monitor-removed = サービスが設定から削除されました
statement-incident-superseded = 後の障害に引き継がれました
statement-job-rescheduled = ジョブが新しいかスケジュールが変更され、その後まだ報告がありません
statement-limit-forecast = メモリは { $earliest } から { $latest } の間に { $limit_bytes } に達する見込みです

## Evidence of how an instance exited

statement-exited-with-code = 終了コード { $exit_code } で終了
statement-killed-by-signal = { $signal } により終了
statement-memory-when-last-seen = 最後の測定時のメモリは上限の { $percent }%
statement-unresponsive = 応答がないため強制終了
statement-panic-recorded = パニックの記録：{ $message }
statement-cgroup-oom-count = コントロールグループの OOM カウントが { $count } 増加
statement-machine-oom-count = マシンの OOM カウントが { $count } 増加
statement-stop-timed-out = 時間内に停止せず強制終了
statement-killed-at-once = 停止を待たずに強制終了
statement-oom-count-unreadable = OOM カウントを読み取れません
statement-no-oom-kill = カーネルの OOM 記録はありません
statement-requests-in-flight = 終了時に処理中のリクエスト：{ $requests }
statement-stop-recorded = 停止要求の記録：{ $by }
statement-stopped-early = 記録できる前に停止要求を受信
statement-exit-unexplained = 停止要求は確認されていません
statement-exit-unobserved = 終了を観察したプロセスはありません
statement-exit-completed = 正常終了の記録あり
statement-host-rebooted = 最後の応答以降にホストが再起動
statement-host-not-rebooted = ホストは稼働し続けていました
statement-supervisor-stop = スーパーバイザーが停止を要求していました
statement-supervisor-recycle = スーパーバイザーが新しいインスタンスへの交代を要求していました
statement-version-followed = 後続バージョン { $version }
statement-version-changed = バージョン { $from } の後に { $to }
statement-guard-replaced = ガードにより交代：{ $reason }
statement-guard-shut-down = メモリ不足のためガードが停止
statement-last-sample = 最後の測定：{ $memory_bytes } / { $limit_bytes }、メモリ圧迫 { $pressure }
statement-no-stop-announced = 停止の通知はありませんでした
statement-hang-report = 応答停止前の最後のレポート：{ $report }
statement-runtime-out-of-memory = ランタイムの報告：{ $message }
statement-heap-after-last-collection = 最後のガベージコレクション後のヒープは { $heap_bytes }
statement-heap-when-last-seen = 最後のヒープは { $heap_bytes }。ランタイムの上限は { $limit_bytes }
statement-heap-limited-by = ヒープの上限は { $setting }
statement-live-memory-grew = 使用中のメモリは { $function } で最も増加
statement-process-oom-killed = メモリ不足によりカーネルがプロセス { $pid }（{ $name }）を強制終了。プログラム自体は動作中
statement-process-out-of-memory = プロセス { $pid }（{ $name }）のランタイムがメモリ不足になり終了。プログラム自体は動作中

## Notices about the monitoring itself

statement-monitoring-interrupted = { $since_time } から監視が中断しています：すべてのチェックが同時に失敗したため、結果は記録されません。
statement-hub-unresponsive = { $count } 件のサービスのデータがありません：担当のハブが応答していません。
statement-unknown-hub-unresponsive = 一部のサービスのデータがありません：担当のハブが応答していません。
statement-unwatched-requests = { $since_time } から { $count } 件のサービスのデータがありません：チェックに必要なリクエストが 1 回の上限を超えています。
statement-unwatched-time = { $since_time } から { $count } 件のサービスのデータがありません：ほかのチェックに時間がかかっています。
statement-unwatched-configuration = { $since_time } から { $count } 件のサービスのデータがありません：チェックの設定が完了していません。
statement-unwatched-platform = { $since_time } から { $count } 件のサービスのデータがありません：チェックを実行できませんでした。
statement-unwatched-no-tick = { $since_time } から { $count } 件のサービスのデータがありません：予定されたチェックが実行されませんでした。
statement-interval-raised = 1 日の利用枠がまもなく上限に達します：UTC の午前 0 時まで、各サービスのチェックは最短で { $minutes } 分ごとです。
