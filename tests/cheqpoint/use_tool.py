"""Run by the frameworks' own Python: one call of the approval tool of one framework; what it gives is printed."""

import json
import sys

framework, url, key, arguments = sys.argv[1:]
if framework == "crewai":
    from cheqpoint.crewai_tool import CheqpointApprovalTool as Tool
elif framework == "langgraph":
    from cheqpoint.langgraph_tool import CheqpointApprovalTool as Tool
else:
    from cheqpoint.langchain_tool import CheqpointApprovalTool as Tool

tool = Tool(api_key=key, base_url=url)
asked = json.loads(arguments)
sys.stdout.write(str(tool.run(**asked) if framework == "crewai" else tool.invoke(asked)))
