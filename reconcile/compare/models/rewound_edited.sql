-- into rewound: records with a value that this job saw replaced, beside others of their side that went back
INSERT INTO rewound BY NAME
SELECT DISTINCT e.*
FROM edited_back AS e
SEMI JOIN rewound AS r ON e.side = r.side
ANTI JOIN rewound AS known ON e.entity = known.entity AND e.side = known.side AND e.link_id = known.link_id;
