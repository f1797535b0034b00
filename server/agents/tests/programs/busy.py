"""Is busy all the time, and keeps some of what it makes."""

held = []


def work():
    for number in range(2000):
        text = "%d" % number
        if number % 100 == 0:
            held.append(text * 200)


while True:
    work()
    if len(held) > 100_000:
        held.clear()
