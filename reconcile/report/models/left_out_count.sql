-- query (entity, side, class, because, number): records without a counterpart that nothing is done about, by reason
SELECT
    entity,
    side,
    class,
    because,
    count(*) AS many
FROM passed
GROUP BY ALL
ORDER BY many DESC, entity, side, class, because
