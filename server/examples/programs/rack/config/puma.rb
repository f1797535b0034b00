# puma reads this file by itself.
port ENV.fetch("PORT", 3000)
threads 1, 16
